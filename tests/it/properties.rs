//! The properties that hold for every parser of a stranger's bytes, with a bounded number of inputs: the whole corpus of the
//! fuzz targets, mutations of it, and plain noise. `scripts/fuzz` looks for longer, by coverage, through the same functions.

use std::fmt;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

#[path = "../../fuzz/src/lib.rs"]
mod checks;

/// Inputs a parser.
const CASES: u32 = 1_500;

/// What parsers trip over.
const TOKENS: [&[u8]; 40] = [
    b"\0",
    b"\n",
    b"\r\n",
    b"\t",
    b" ",
    b"\"",
    b"'",
    b"\\",
    b"/",
    b"//",
    b"..",
    b"%00",
    b"%2f",
    b"%ff",
    b"%",
    b";",
    b",",
    b":",
    b"=",
    b"&",
    b"@",
    b"#",
    b"?",
    b"*",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\\u0061",
    b"\\ud800",
    b"\xff",
    b"\xc0\x80",
    b"1e999",
    b"18446744073709551616",
    b"-1",
    b"null",
    "\u{202e}".as_bytes(),
    "\u{200b}".as_bytes(),
    "\u{345}".as_bytes(),
    "\u{feff}".as_bytes(),
];

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let inputs: Vec<Vec<u8>> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(inputs.len() >= 3, "{name} has no corpus");
    inputs
}

/// Bytes that a failure shows as text.
#[derive(Clone)]
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// One change of an input.
#[derive(Clone, Debug)]
enum Edit {
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    /// The rest of another input.
    Splice(Index, Vec<u8>, Index),
}

impl Edit {
    fn apply(&self, data: &mut Vec<u8>) {
        match self {
            Self::Flip(at, mask) if !data.is_empty() => {
                let at = at.index(data.len());
                data[at] ^= mask;
            }
            Self::Flip(..) => {}
            Self::Insert(at, bytes) => {
                let at = at.index(data.len() + 1);
                data.splice(at..at, bytes.iter().copied());
            }
            Self::Remove(at, count) => {
                let at = at.index(data.len() + 1);
                data.drain(at..(at + count).min(data.len()));
            }
            Self::Splice(at, other, from) => {
                data.truncate(at.index(data.len() + 1));
                data.extend_from_slice(&other[from.index(other.len() + 1)..]);
            }
        }
    }
}

fn inputs(corpus: Vec<Vec<u8>>) -> impl Strategy<Value = Input> {
    let edit = prop_oneof![
        (any::<Index>(), 1..=u8::MAX).prop_map(|(at, mask)| Edit::Flip(at, mask)),
        (any::<Index>(), select(&TOKENS[..])).prop_map(|(at, token)| Edit::Insert(at, token.to_vec())),
        (any::<Index>(), any::<char>()).prop_map(|(at, c)| Edit::Insert(at, c.to_string().into_bytes())),
        (any::<Index>(), 1_usize..9).prop_map(|(at, count)| Edit::Remove(at, count)),
        (any::<Index>(), select(corpus.clone()), any::<Index>())
            .prop_map(|(at, other, from)| Edit::Splice(at, other, from)),
    ];
    let mutated = (select(corpus), prop::collection::vec(edit, 1..6)).prop_map(|(mut data, edits)| {
        for edit in &edits {
            edit.apply(&mut data);
        }
        data
    });
    let noise = any::<String>().prop_map(String::into_bytes);
    prop_oneof![8 => mutated, 1 => noise, 1 => prop::collection::vec(any::<u8>(), 0..200)].prop_map(Input)
}

/// The names of a folder's sources, without their ends.
fn stems(folder: &str) -> Vec<String> {
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    let paths = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let mut names: Vec<String> = paths.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn every_parser_that_the_routers_hand_out_is_asked_by_a_check() {
    let doors = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/routers/parsers.rs")).unwrap();
    let lists = doors.lines().filter_map(|line| line.strip_prefix("pub use super::")?.rsplit("::").next());
    let handed_out: Vec<&str> = lists
        .flat_map(|list| list.trim_matches([';', '{', '}']).split(", "))
        .map(|name| name.rsplit(" as ").next().unwrap())
        .filter(|name| name.starts_with(char::is_lowercase))
        .collect();
    assert!(handed_out.len() >= 10, "{handed_out:?}");
    let texts = stems("fuzz/src").into_iter().map(|name| format!("fuzz/src/{name}.rs"));
    let texts = texts.map(|path| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap());
    let checks: String = texts.collect();
    let asked: Vec<&str> = checks
        .lines()
        .filter_map(|line| line.split_once("routers::parsers::").or_else(|| line.split_once(" parsers::")))
        .flat_map(|(_, rest)| rest.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .collect();
    for name in handed_out {
        assert!(asked.contains(&name), "no check asks {name} of src/routers/parsers.rs");
    }
}

fn hold(name: &str) {
    let (_, check) = checks::CHECKS.into_iter().find(|(known, _)| *known == name).expect("a check of this name");
    let corpus = corpus(name);
    for input in &corpus {
        check(input);
    }
    let config = Config { cases: CASES, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let outcome = TestRunner::new(config).run(&inputs(corpus), |input| {
        std::panic::catch_unwind(|| check(&input.0)).map_err(|panic| {
            let message = panic.downcast_ref::<String>().map(String::as_str);
            TestCaseError::fail(message.or(panic.downcast_ref().copied()).unwrap_or("it does not hold").to_owned())
        })
    });
    if let Err(error) = outcome {
        panic!("{name}: {error}");
    }
}

macro_rules! properties {
    ($($test:ident: $name:literal,)+) => {
        $(
            #[test]
            fn $test() {
                hold($name);
            }
        )+

        #[test]
        fn every_parser_has_a_test_a_corpus_and_a_fuzz_target() {
            let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/Cargo.toml")).unwrap();
            let here = [$($name),+];
            assert_eq!(checks::CHECKS.map(|(name, _)| name), here);
            assert_eq!(stems("fuzz/fuzz_targets"), here);
            let modules = stems("fuzz/src").into_iter().filter(|name| name != "lib" && name != "service");
            assert_eq!(modules.collect::<Vec<_>>(), here);
            for name in here {
                assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} has no fuzz target");
                let target = format!("fuzz/fuzz_targets/{name}.rs");
                let target = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(target)).unwrap();
                assert!(target.contains(&format!("tacit_fuzz::{name}::check")), "{name}: {target}");
            }
        }
    };
}

properties! {
    an_access_token_is_good_only_as_it_was_signed_and_says_what_any_parser_reads: "access_token",
    an_authorization_header_names_one_user_or_one_client_and_never_both: "authorization",
    a_configuration_that_is_taken_is_safe_and_no_message_holds_a_secret: "configuration",
    at_most_four_cookies_of_exactly_our_names_are_read: "cookies",
    a_304_is_only_for_a_tag_that_was_named: "entity_tag",
    a_form_reads_as_any_parser_reads_it_and_repetitions_are_seen: "form",
    nobody_behind_a_proxy_chooses_an_address_or_leads_to_a_foreign_host: "forwarded",
    a_body_is_one_json_object_without_repeated_members: "json",
    a_name_has_one_canonical_form_and_nothing_hidden_in_it: "names",
    a_refresh_token_has_one_spelling_and_no_altered_one_is_good: "refresh_token",
    a_way_back_never_leads_to_a_place_that_is_not_allowed: "return_to",
    a_scope_is_visible_words_each_once: "words",
}
