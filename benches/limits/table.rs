//! What was measured, as a Markdown table.

/// Rows of what, how much, and what was asked for.
#[derive(Default)]
pub struct Table(Vec<[String; 3]>);

impl Table {
    pub fn row(&mut self, what: &str, measured: String, asked: &str) {
        println!("{what}: {measured}");
        self.0.push([what.to_owned(), measured, asked.to_owned()]);
    }

    pub fn print(&self) {
        println!("\n| what | measured | asked for |\n|---|---|---|");
        for [what, measured, asked] in &self.0 {
            println!("| {what} | {measured} | {asked} |");
        }
    }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Minimum, median and maximum, for a reader who wants to know how noisy the machine was.
pub fn spread(values: &[f64], unit: &str) -> String {
    let middle = median(values.to_vec());
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{middle:.2}{unit} ({least:.2} to {most:.2})")
}

/// The value below which so many percent of the samples lie.
pub fn percentile(samples: &mut [f64], percent: usize) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[(samples.len() * percent / 100).min(samples.len() - 1)]
}
