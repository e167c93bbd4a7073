//! Reading source files as these checks see them: without comments, and with imports written out.

use std::path::Path;

/// A file, by its path from the root of the repository with `/` between its parts.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// The module of the library it belongs to; `None` for `lib.rs`, `main.rs`, and what is outside of `src`.
    pub(crate) fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let first = inside.split('/').next().unwrap_or(inside);
        let module = first.trim_end_matches(".rs");
        (!["lib", "main"].contains(&module)).then_some(module)
    }
}

/// Every Rust file of the repository that people write.
pub(crate) fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "migration/src", "tests", "bench", "fuzz"] {
        walk(root, &root.join(folder), &mut found);
    }
    found.sort_by(|one: &Source, other| one.path.cmp(&other.path));
    found
}

/// A folder that is not there has no files: some come later than this check.
fn walk(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("a folder of sources can be listed").path();
        if path.is_dir() && !path.ends_with("target") {
            walk(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let inside = path.strip_prefix(root).expect("it was found under the root");
            let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
            let text = std::fs::read_to_string(&path).expect("a source is UTF-8");
            let path = parts.join("/");
            found.push(Source { path, text });
        }
    }
}

/// The modules that a `lib.rs` declares, in its order.
pub(crate) fn modules_in_order(lib: &str) -> Vec<String> {
    let declared = lib.lines().map(str::trim).filter_map(|line| {
        let declared = line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod "))?;
        declared.strip_suffix(';').map(str::to_owned)
    });
    declared.collect()
}

/// The text without line comments, followed by its imports written out, one full path a line.
pub(crate) fn code(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines() {
        code.push_str(uncommented(line));
        code.push('\n');
    }
    let mut imports = Vec::new();
    for statement in code.split(';') {
        if let Some(tree) = import(statement) {
            write_out(tree, "", &mut imports);
        }
    }
    code + &imports.join("\n")
}

/// The line up to a comment. Two slashes within a word, as in an address, begin none.
fn uncommented(line: &str) -> &str {
    let comment = line.match_indices("//").find(|(at, _)| {
        let before = line[..*at].chars().next_back();
        before.is_none_or(char::is_whitespace)
    });
    comment.map_or(line, |(at, _)| &line[..at])
}

/// What a statement imports: all that follows its last `use`.
fn import(statement: &str) -> Option<&str> {
    let mut uses = statement.rmatch_indices("use ").map(|(at, word)| (at, at + word.len()));
    let (_, end) = uses.find(|(at, _)| statement[..*at].chars().next_back().is_none_or(char::is_whitespace))?;
    Some(&statement[end..])
}

fn write_out(tree: &str, prefix: &str, imports: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((path, inside)) = tree.split_once('{') else {
        imports.push(format!("{prefix}{tree}"));
        return;
    };
    let prefix = format!("{prefix}{}", path.trim());
    let inside = inside.rsplit_once('}').map_or(inside, |(inside, _)| inside);
    let (mut depth, mut start) = (0_i32, 0);
    for (at, character) in inside.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                write_out(&inside[start..at], &prefix, imports);
                start = at + 1;
            }
            _ => {}
        }
    }
    write_out(&inside[start..], &prefix, imports);
}

/// The modules named right after `crate::`, each once.
pub(crate) fn crate_modules(code: &str) -> Vec<String> {
    let mut modules: Vec<String> = places(code, "crate::")
        .map(|(_, end)| {
            let name = code[end..].chars().take_while(|character| is_word(*character));
            name.collect::<String>()
        })
        .filter(|name| !name.is_empty())
        .collect();
    modules.sort();
    modules.dedup();
    modules
}

/// Whether the code has a word, and not just as a part of a longer one; one that ends with `*` may go on.
pub(crate) fn is_named(code: &str, word: &str) -> bool {
    let (word, may_go_on) = match word.strip_suffix('*') {
        Some(word) => (word, true),
        None => (word, !word.ends_with(is_word)),
    };
    places(code, word).any(|(_, end)| may_go_on || !code[end..].starts_with(is_word))
}

/// Where a word begins and ends that is not the end of a longer one.
fn places<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = (usize, usize)> {
    let starts_a_word = word.starts_with(is_word);
    code.match_indices(word)
        .filter(move |(at, _)| !starts_a_word || !code[..*at].ends_with(is_word))
        .map(|(at, word)| (at, at + word.len()))
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}
