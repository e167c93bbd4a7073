//! What `cargo fuzz` tries for hours, tried by every `cargo test` for seconds: each seed, and what becomes of seeds when
//! words and bytes are put in, changed, taken out and repeated by chance.
//!
//! `ALLCLEAR_FUZZ_INPUTS=1000000 cargo test --release -p allclear-fuzz -- --nocapture` tries more, with `ALLCLEAR_SEED=2`
//! others.

#[expect(dead_code, reason = "what is chosen here needs less of it")]
#[path = "../../tests/delivery/random.rs"]
mod random;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use random::Random;

/// How many inputs each target is given.
const INPUTS: usize = 3_000;

/// How many changes are made to a seed at most.
const CHANGES: usize = 8;

/// The longest range that is repeated or taken out.
const RANGE: usize = 64;

/// A longer input is not grown any more: the time it takes would go to few.
const LONG: usize = 8_192;

fn number(variable: &str, otherwise: usize) -> usize {
    let told = std::env::var(variable).ok();
    told.map_or(otherwise, |told| {
        told.parse().unwrap_or_else(|_| panic!("{variable} is a number"))
    })
}

/// What the files of a folder hold, in the order of their names.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let entries = std::fs::read_dir(folder).expect("each target has seeds");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{target} has seeds");
    paths
        .iter()
        .map(|path| std::fs::read(path).expect("a seed can be read"))
        .collect()
}

/// The words of a dictionary, which is written as the engine reads it: one in quotes a line, with `\x1e` for a byte.
fn words(target: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("dictionaries/{target}.dict"));
    let Ok(text) = std::fs::read_to_string(path) else {
        return Vec::new();
    };
    text.lines().map(word).collect()
}

fn word(line: &str) -> Vec<u8> {
    let quoted = line.strip_prefix('"').and_then(|line| line.strip_suffix('"'));
    let mut parts = quoted.expect("a word in quotes").split("\\x");
    let mut word: Vec<u8> = parts.next().unwrap_or_default().into();
    for part in parts {
        let (byte, rest) = part.split_at(2);
        word.push(u8::from_str_radix(byte, 16).expect("two hexadecimal digits"));
        word.extend(rest.bytes());
    }
    word
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let range = at..input.len().min(at + 1 + random.below(RANGE));
    match random.below(6) {
        0 | 1 if !words.is_empty() => {
            let until = if random.percent(50) { at } else { range.end };
            input.splice(at..until, random.pick(words).iter().copied());
        }
        2 if at < input.len() => input[at] = random.next().to_le_bytes()[0],
        3 => {
            input.drain(range);
        }
        4 if input.len() < LONG => {
            let again = input[range].repeat(1 + random.below(CHANGES));
            input.splice(at..at, again);
        }
        _ if input.len() < LONG => {
            let other = random.pick(seeds);
            let from = random.below(other.len() + 1);
            let until = other.len().min(from + random.below(4 * RANGE));
            input.splice(at..at, other[from..until].iter().copied());
        }
        _ => {}
    }
}

#[expect(clippy::print_stderr, reason = "what fails is shown")]
fn run(target: &str, holds: fn(&[u8])) {
    let (seeds, words) = (seeds(target), words(target));
    let mut random = Random::of(number("ALLCLEAR_SEED", 1) as u64, target);
    let hold = |input: &[u8], what: String| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| holds(input))) {
            eprintln!("{what} of {target}: {}", input.escape_ascii());
            resume_unwind(panic);
        }
    };
    for (number, seed) in seeds.iter().enumerate() {
        hold(seed, format!("seed {number}"));
    }
    for number in 0..number("ALLCLEAR_FUZZ_INPUTS", INPUTS) {
        let mut input = random.pick(&seeds).clone();
        for _ in 0..=random.below(CHANGES) {
            change(&mut input, &seeds, &words, &mut random);
        }
        hold(&input, format!("input {number}"));
    }
}

#[test]
fn cursors_hold() {
    run("cursor", allclear_fuzz::cursor::holds);
}

#[test]
fn captures_hold() {
    run("import", allclear_fuzz::import::holds);
}

#[test]
fn bodies_hold() {
    run("markdown", allclear_fuzz::markdown::holds);
}

#[test]
fn documents_hold() {
    run("preflight", allclear_fuzz::preflight::holds);
}

#[test]
fn frames_hold() {
    run("websocket_frame", allclear_fuzz::websocket_frame::holds);
}
