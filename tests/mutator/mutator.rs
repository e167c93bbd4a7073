//! Makes requests that nobody would send of those that people do. The same seed makes the same.

use serde_json::{Value, json};

/// What people send: each kind of operation, with everything that a document may hold.
const DOCUMENTS: [&str; 12] = [
    "{ page(slug: \"healthwise\") { id cursor status { indicator description } } }",
    "query A($slug: String!, $first: Int = 10) { page(slug: $slug) { incidents(first: $first) { nodes { ...i } pageInfo { endCursor } } } } fragment i on Incident { id title updates(first: 20) { nodes { body bodyHtml } } }",
    "query B($ids: [ID!]!) { nodes(ids: $ids) { __typename ... on Incident @include(if: true) { title } ... @skip(if: false) { id } } }",
    "mutation C($input: IncidentOpenInput!) { incidentOpen(input: $input) { incident { id version } userErrors { code message field } } }",
    "mutation { a: pageCreate(input: {slug: \"a\", name: \"A\", description: \"\"\"block \\\"\"\" text\"\"\"}) { page { id } } b: pageCreate(input: {slug: \"b\", name: \"B\"}) { page { id } } }",
    "subscription D($page: String!, $after: Cursor) { pageEvents(page: $page, after: $after) { __typename cursor at ... on IncidentUpdatePosted { incident { title } update { status body } } } }",
    "query E { one: page(slug: \"a\") { ...p } two: page(slug: \"b\", asOf: \"2026-03-02T12:00:00Z\") { ...p } } fragment p on Page { components { name uptime(days: 90) { percentage } } }",
    "query F { page(slug: \"x\") { id } } query G { pages(last: 100) { nodes { slug } } }",
    "{ __schema { types { ...t } } __type(name: \"Page\") { fields { name args { defaultValue } type { ofType { name } } } } } fragment t on __Type { kind name fields(includeDeprecated: true) { name } enumValues { name } }",
    "query H($a: [Float!] = [1.5, -0, 2e10], $b: PageEventFilter = {kinds: [INCIDENT_OPENED], minimumImpact: MAJOR}) { server { version limits { documentCost } } }",
    "# a comment { [ (\n\u{feff}query I { page(slug: \"\\u00e9\\n\\\"\") { name, description, } }",
    "mutation J { incidentUpdatePost(input: {incident: \"x\", status: MONITORING, body: \"y\", expectedVersion: 3, idempotencyKey: \"k\"}) { userErrors { ... on StaleVersion { currentVersion } } } }",
];

/// What is put in where it does not belong.
const PIECES: [&str; 56] = [
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "...",
    "@skip(if: true)",
    "@include(if: $x)",
    "@a",
    "\"",
    "\"\"\"",
    "\\",
    "#",
    "$x",
    "$",
    ":",
    "!",
    "&",
    "|",
    "=",
    ",",
    "\n",
    "fragment f on Query { ...f }",
    "...f",
    "... on Page {",
    "on",
    "mutation",
    "subscription",
    "query",
    "query Z",
    "__schema { types { name } }",
    "__type(name: \"Page\")",
    "__typename",
    "fields { type {",
    "first: 100",
    "last: 1000000000000000000",
    "ids: [1, 2, 3]",
    "1e999",
    "-0",
    "\u{feff}",
    "\u{0}",
    "\u{202e}",
    "\u{1f600}",
    "é",
    "a: ",
    "null",
    "true",
    "{a:{a:{a:",
    "[[[[",
    "extend type Query { a: Int }",
    "input",
    "\\u{110000}",
    "\\ud800",
    "page(slug: \"a\")",
    "nodes(ids: [\"a\"])",
];

/// What is repeated to reach a limit.
const FILLINGS: [&str; 10] = [
    "{a",
    "a ",
    "a:b ",
    "[",
    "(a:",
    "a@x ",
    "...f ",
    "{a(first:100)",
    "\"\" ",
    "$a:A ",
];

/// Longer documents than this only meet the limit of bytes, which is met often enough.
const LONGEST: usize = 100_000;

/// Makes what it is asked for by chance.
pub(crate) struct Mutator(u64);

impl Mutator {
    pub(crate) const fn new(seed: u64) -> Mutator {
        Mutator(seed)
    }

    /// `SplitMix64`.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).expect("it is below a usize")
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// A document with up to eight changes; one in ten is left as it is.
    pub(crate) fn document(&mut self) -> String {
        let mut text = self.pick(&DOCUMENTS).to_owned();
        if self.below(10) > 0 {
            for _ in 0..=self.below(8) {
                self.change(&mut text);
            }
        }
        text
    }

    /// Changes a text in one place, whatever it is.
    pub(crate) fn change(&mut self, text: &mut String) {
        let (from, to) = self.range(text);
        let part = text[from..to].to_owned();
        match self.below(11) {
            0 => text.replace_range(from..to, ""),
            1 => text.insert_str(from, self.pick(&PIECES)),
            2 => text.replace_range(from..to, self.pick(&PIECES)),
            3 => text.insert_str(from, &part),
            4 => {
                let times = self.below(300);
                text.insert_str(from, &part.repeat(times.min(LONGEST / part.len().max(1))));
            }
            5 => {
                let filling = self.pick(&FILLINGS);
                text.insert_str(from, &filling.repeat(1 << self.below(13)));
            }
            6 => {
                let other = self.pick(&DOCUMENTS);
                let (_, until) = self.range(other);
                text.truncate(from);
                text.push_str(&other[until..]);
            }
            7 => {
                // A definition more: the rest of the document may use it, or not.
                text.push(' ');
                text.push_str(self.pick(&DOCUMENTS));
            }
            8 | 9 => self.grow(text),
            _ => {
                let byte = u8::try_from(self.below(128)).expect("it is below 128");
                text.insert(from, char::from(byte));
            }
        }
        text.truncate(text.floor_char_boundary(LONGEST));
    }

    /// Puts more into a selection than anybody would ask for, and leaves it well formed.
    fn grow(&mut self, text: &mut String) {
        let brackets: Vec<usize> = text.match_indices('{').map(|(at, _)| at + 1).collect();
        if brackets.is_empty() {
            return;
        }
        let at = brackets[self.below(brackets.len())];
        let times = 1 << self.below(10);
        match self.below(4) {
            0 => text.insert_str(at, &self.pick(&["a ", "a:b ", "a@x ", "... @x { a } "]).repeat(times)),
            1 => {
                let levels = self.below(40);
                text.insert_str(at, &("a(first:100){".repeat(levels) + "x" + &"}".repeat(levels)));
            }
            2 => {
                let levels = self.below(40);
                text.insert_str(at, &("a{".repeat(levels) + "x" + &"}".repeat(levels)));
            }
            _ => {
                text.insert_str(at, " ...g0 ");
                let last = self.below(40);
                for i in 0..last {
                    *text += &format!(" fragment g{i} on Query {{ ...g{next} ...g{next} }}", next = i + 1);
                }
                *text += &format!(" fragment g{last} on Query {{ a }}");
            }
        }
    }

    /// Two places of a text, near one another as often as not.
    fn range(&mut self, text: &str) -> (usize, usize) {
        let from = text.floor_char_boundary(self.below(text.len() + 1));
        let reach = match self.below(2) {
            0 => 12,
            _ => text.len(),
        };
        let to = text.floor_char_boundary((from + self.below(reach + 1)).min(text.len()));
        (from, to.max(from))
    }

    /// Values of variables, fit or not.
    pub(crate) fn variables(&mut self) -> Value {
        let mut variables = json!({
            "slug": "healthwise", "page": "healthwise", "first": self.below(200), "ids": ["a", "b"], "after": null,
            "input": {"page": "x", "title": "Down", "body": "It is.", "components": []},
        });
        for _ in 0..self.below(4) {
            let name = self.pick(&["slug", "page", "first", "ids", "after", "input", "a", "b", "x"]);
            variables[name] = self.value(0);
        }
        variables
    }

    fn value(&mut self, level: usize) -> Value {
        match self.below(10) {
            0 => Value::Null,
            1 => json!(self.next()),
            2 => json!(-1.5e300),
            3 => json!(self.below(2) == 0),
            4 => json!(self.pick(&PIECES)),
            5 => json!("x".repeat(1 << self.below(21))),
            6 => Value::Array(vec![json!(1); 1 << self.below(15)]),
            7 => (0..self.below(100)).fold(json!(1), |inner, _| json!([inner])),
            8 if level < 8 => json!([self.value(level + 1)]),
            9 if level < 8 => {
                json!({ (self.pick(&PIECES)): self.value(level + 1), "page": self.value(level + 1) })
            }
            _ => json!("2026-03-02T12:00:00Z"),
        }
    }
}

/// How many of something to try: few, or as many as a variable of the environment says.
pub(crate) fn count(variable: &str, few: usize) -> usize {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} must be a number")),
        Err(_) => few,
    }
}
