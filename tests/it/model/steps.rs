//! What can happen next in the honest world: every order of everything that is on its way, and time.

use super::action::{Action, Outcome};
use super::promises::Promise;
use super::row::{Clause, Reason, Token};
use super::world::{Decided, Request, Setting, Stage, World};
use tacit::services::refresh::decision::Decision;

pub type Broken = [Option<Promise>; 6];

pub struct Step {
    pub action: Action,
    pub world: World,
    pub broken: Broken,
    /// Whether the search goes on from there.
    pub goes_on: bool,
}

/// The steps of one state, as they are collected.
struct Steps<'a> {
    setting: &'a Setting,
    steps: &'a mut Vec<Step>,
}

impl Steps<'_> {
    fn push(&mut self, action: Action, world: World, broken: Broken) {
        let goes_on = world.row.revoked != Some(Reason::Reuse);
        self.steps.push(Step { action, world: world.canonical(self.setting), broken, goes_on });
    }
}

fn unless(kept: bool, promise: Promise) -> Option<Promise> {
    (!kept).then_some(promise)
}

impl World {
    pub fn steps(&self, setting: &Setting, steps: &mut Vec<Step>) {
        let mut steps = Steps { setting, steps };
        self.send(&mut steps);
        for (place, request) in self.requests.iter().enumerate() {
            match request {
                None => {}
                Some(request) => match request.stage {
                    Stage::Queued => self.read(place, request, &mut steps),
                    Stage::Decided => {
                        let waits = request.decided.filter(|_| setting.waits_for_the_row);
                        for lag in 0..=waits.map_or(0, |decided| decided.ticks) {
                            self.write(place, request, lag, &mut steps);
                        }
                    }
                    Stage::Handling => self.emit(place, request, &mut steps),
                    Stage::Flying => self.deliver(place, request, &mut steps),
                },
            }
        }
        self.tick(&mut steps);
        self.mishaps(&mut steps);
    }

    fn send(&self, steps: &mut Steps<'_>) {
        let bounded = steps.setting.lost_commits_below.is_none_or(|limit| self.row.generation < limit);
        let free = self.requests.iter().take(steps.setting.requests).position(Option::is_none);
        if let (Some(place), true) = (free, bounded) {
            let mut world = *self;
            world.requests[place] =
                Some(Request { stage: Stage::Queued, token: self.jar, ticks: 0, attempt: 0, decided: None });
            steps.push(Action::Send(self.jar), world, [None; 6]);
        }
    }

    fn read(&self, place: usize, request: &Request, steps: &mut Steps<'_>) {
        let setting = steps.setting;
        if self.row.revoked.is_some() {
            return steps.push(Action::ReadEnded(place), self.without(place), [None; 6]);
        }
        let decision = self.row.decide(setting.rules, request.token, setting.grace);
        let action = Action::Read(place, request.token, decision);
        let inside = self.row.is_inside(setting.grace);
        let older = request.token.generation < self.row.generation;
        let young = self.row.age.is_some_and(|age| age <= setting.grace / 4);
        let may_mint = !inside || (older && self.row.phase == 1);
        let good = [
            unless(request.token.generation <= self.row.generation, Promise::RowCatchesUp),
            unless(!older || self.row.is_current_or_predecessor(request.token), Promise::ReplayIsFound),
        ];
        match decision {
            Decision::AccessOnly { confirm: false } => {
                let broken = [unless(inside, Promise::RenewedOutsideTheWindow), None, None, None, good[0], good[1]];
                steps.push(action, self.without(place), broken);
                if setting.echo && young {
                    steps.push(action, self.echoed(place, request, 0), broken);
                }
            }
            Decision::Reissue { write: false } => {
                let broken = [
                    unless(may_mint, Promise::NothingInsideTheWindow),
                    unless(inside, Promise::RenewedOutsideTheWindow),
                    unless(!older || self.row.phase < 2, Promise::NothingAfterConfirmation),
                    None,
                    good[0],
                    good[1],
                ];
                steps.push(action, self.without(place), broken);
                steps.push(action, self.minted(place, self.row.generation, 0), broken);
            }
            _ => {
                let may_fall_back = self.row.is_current_or_predecessor(request.token);
                let seen = self.row.generation;
                let decided =
                    Some(Decided { decision, seen, may_fall_back, may_mint, young, disturbed: false, ticks: 0 });
                let mut world = *self;
                world.requests[place] = Some(Request { stage: Stage::Decided, decided, ..*request });
                steps.push(action, world, [None; 6]);
            }
        }
    }

    fn write(&self, place: usize, request: &Request, lag: u8, steps: &mut Steps<'_>) {
        let rules = steps.setting.rules;
        let Some(Decided { decision, seen, may_mint, young, .. }) = request.decided else { return };
        let mut world = *self;
        let row = &mut world.row;
        let age = lag.cast_signed();
        let hit = match decision {
            Decision::AccessOnly { .. } => row.confirm(rules, seen),
            Decision::Rotate => row.rotate(rules, seen, request.token.branch, age),
            Decision::Reissue { .. } => row.reissue(rules, seen, age),
            Decision::FastForward => row.fast_forward(rules, seen, request.token.generation, age),
            Decision::Theft => row.revoke(rules, Reason::Reuse),
        };
        if !hit {
            return self.write_again(place, request, steps);
        }
        world.disturb();
        if matches!(decision, Decision::Reissue { .. }) && !steps.setting.loses_reissues && world.backup.is_some() {
            // This one is kept, and all before it: nothing is lost in this run.
            (world.backup, world.restored) = (None, true);
        }
        let (before, after) = (&self.row, world.row);
        let rotated = decision == Decision::Rotate;
        let risen = if rotated { after.generation > before.generation } else { after.generation >= before.generation };
        let replayed = !before.is_current_or_predecessor(request.token) && request.token.generation < before.generation;
        let fresh = after.generation == before.generation || after.phase == 0;
        let confirms = matches!(decision, Decision::AccessOnly { .. });
        let seen_there = before.generation == seen && before.phase == 1;
        let theft = decision == Decision::Theft;
        let broken = [
            unless(!theft, Promise::HonestSessionLives),
            unless(before.revoked.is_none(), Promise::EndedStaysEnded),
            unless(risen, Promise::GenerationRises),
            unless(if confirms { seen_there } else { fresh }, Promise::ConfirmedWasSeen),
            unless(theft || after.generation >= request.token.generation, Promise::RowCatchesUp),
            unless(theft || !replayed || before.generation != seen, Promise::ReplayIsFound),
        ];
        world.requests[place] = None;
        steps.push(Action::Write(place, decision, Outcome::NothingDelivered), world, broken);
        if confirms && young && steps.setting.echo {
            // What is told is as old as the read.
            let since_read = request.decided.map_or(0, |decided| decided.ticks);
            let told = if rules.keep(Clause::EchoCountsFromTheRead) { since_read } else { 0 };
            let mut world = self.echoed(place, request, told);
            world.row = after;
            world.disturb();
            steps.push(Action::Write(place, decision, Outcome::Minted), world, broken);
        }
        if matches!(decision, Decision::Rotate | Decision::Reissue { .. }) {
            let generation = if rotated { seen + 1 } else { seen };
            let older = request.token.generation < before.generation;
            let broken = [
                unless(generation == after.generation, Promise::MintedIsCurrent),
                unless(may_mint, Promise::NothingInsideTheWindow),
                unless(!older || before.phase < 2, Promise::NothingAfterConfirmation),
                None,
                None,
                None,
            ];
            steps.push(Action::Write(place, decision, Outcome::Minted), world.minted(place, generation, lag), broken);
        }
    }

    /// Reads and decides again, a few times; then ACCESS-ONLY or 503.
    fn write_again(&self, place: usize, request: &Request, steps: &mut Steps<'_>) {
        let rules = steps.setting.rules;
        let Some(decided) = request.decided else { return };
        let rereads = if rules.keep(Clause::ZeroRowsReadAgain) { steps.setting.rereads } else { 0 };
        let falls_back = rules.keep(Clause::LastRereadFallsBackToAccessOnly) && decided.may_fall_back;
        let again = request.attempt < rereads;
        let mut world = self.without(place);
        if again {
            let attempt = request.attempt + 1;
            world.requests[place] = Some(Request { stage: Stage::Queued, attempt, decided: None, ..*request });
        }
        let broken = [
            unless(decided.disturbed, Promise::FailsOnlyForCause),
            unless(again || falls_back, Promise::AlwaysAnswered),
            None,
            None,
            None,
            None,
        ];
        steps.push(Action::Write(place, decided.decision, Outcome::NoRow), world, broken);
    }

    fn emit(&self, place: usize, request: &Request, steps: &mut Steps<'_>) {
        if request.ticks > steps.setting.emit && steps.setting.rules.keep(Clause::LateCookiesAreDropped) {
            return steps.push(Action::Emit(place), self.without(place), [None; 6]);
        }
        // The revocation set is a second old at most, and so is a swap after which the row is not looked up again.
        let known = self.ended_for > 1;
        let mut world = self.without(place);
        if !known || !steps.setting.rules.keep(Clause::CookiesOfAnEndedSessionAreDropped) {
            world.requests[place] = Some(Request { stage: Stage::Flying, ticks: 0, ..*request });
        }
        let broken = [
            unless(!known || world.requests[place].is_none(), Promise::NoCookieAfterLogout),
            None,
            None,
            None,
            None,
            None,
        ];
        steps.push(Action::Emit(place), world, broken);
    }

    fn deliver(&self, place: usize, request: &Request, steps: &mut Steps<'_>) {
        let mut world = self.without(place);
        world.jar = request.token;
        steps.push(Action::Deliver(place, request.token), world, [None; 6]);
    }

    /// Time passes if nobody is at the end of his; what is lost was taken away when it was sent.
    fn tick(&self, steps: &mut Steps<'_>) {
        let setting = steps.setting;
        let mut world = *self;
        for request in world.requests.iter_mut().flatten() {
            let limit = match request.stage {
                Stage::Queued | Stage::Decided => setting.queue,
                Stage::Handling if setting.rules.keep(Clause::LateCookiesAreDropped) => Some(setting.emit),
                Stage::Handling => Some(setting.handler),
                Stage::Flying => Some(setting.transit),
            };
            if let Some(decided) = &mut request.decided {
                decided.ticks += u8::from(setting.waits_for_the_row || setting.echo);
            }
            match limit {
                Some(limit) if request.ticks >= limit => return,
                Some(_) => request.ticks += 1,
                None => {}
            }
        }
        for row in [Some(&mut world.row), world.backup.as_mut()].into_iter().flatten() {
            row.age = row.age.map(|age| (age + 1).min(setting.grace + 2));
        }
        if world.row.revoked.is_some() {
            world.ended_for = (world.ended_for + 1).min(2);
        }
        steps.push(Action::Tick, world, [None; 6]);
    }

    fn mishaps(&self, steps: &mut Steps<'_>) {
        let setting = steps.setting;
        if setting.logout && self.row.revoked.is_none() {
            let mut world = *self;
            world.row.revoke(setting.rules, Reason::Logout);
            // What the database loses is not the logout itself.
            (world.backup, world.restored) = (None, true);
            world.disturb();
            steps.push(Action::LogOut, world, [None; 6]);
        }
        if setting.lost_commits_below.is_some() && !self.restored {
            if let Some(backup) = self.backup {
                let mut world = World { row: backup, backup: None, restored: true, ..*self };
                world.disturb();
                steps.push(Action::LoseCommits, world, [None; 6]);
            } else {
                steps.push(Action::Backup, World { backup: Some(self.row), ..*self }, [None; 6]);
            }
        }
        if setting.clock_step != 0 && !self.clock_was_set {
            let mut world = World { clock_was_set: true, ..*self };
            world.row.age = self.row.age.map(|age| (age + setting.clock_step).min(setting.grace + 2));
            steps.push(Action::SetClock, world, [None; 6]);
        }
    }

    fn without(&self, place: usize) -> Self {
        let mut world = *self;
        world.requests[place] = None;
        world
    }

    /// The request now waits for its headers, with a new branch of this generation, this long after its swap was sent.
    fn minted(&self, place: usize, generation: u8, ticks: u8) -> Self {
        let mut world = *self;
        let token = Token { generation, branch: Self::FRESH };
        world.requests[place] = Some(Request { stage: Stage::Handling, token, ticks, attempt: 0, decided: None });
        world
    }

    /// The answer tells a client that stores tokens itself which one it holds, as `Exchange::echo` does.
    fn echoed(&self, place: usize, request: &Request, ticks: u8) -> Self {
        let mut world = self.minted(place, self.row.generation, ticks);
        if self.row.phase < 2 || request.token.generation == self.row.generation {
            world.requests[place] = world.requests[place].map(|answer| Request { token: request.token, ..answer });
        }
        world
    }

    /// The row is no longer what those who read it saw.
    fn disturb(&mut self) {
        for request in self.requests.iter_mut().flatten() {
            if let Some(decided) = &mut request.decided {
                decided.disturbed = true;
            }
        }
    }
}
