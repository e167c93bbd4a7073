//! What a field of the API costs. The schema declares prices (`graphql::price`), the edge adds them up before it executes a
//! document; neither knows the other.

/// The price of a field, in units of cost. One unit is about 5 µs of CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Units of the field itself.
    pub units: u64,
    /// Units in addition if the field is read from a past state.
    pub past_units: u64,
    /// How many items the field returns.
    pub items: Items,
    /// The argument that says how many items [`Items::Asked`] fields below return; `first`, `last` or `ids` if `None`.
    pub count: Option<Count>,
    /// The argument that costs something by itself.
    pub argument: Option<Argument>,
    /// Whether what stands below is read from a past state.
    pub past: Past,
}

/// How many items a field returns: as often are the fields below it resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Items {
    /// One. A field that is a list must not have this.
    One,
    /// A list without arguments: its true bound, or what is realistic where that is much larger.
    AtMost(u64),
    /// As many as the closest field above with a [`Count`] asks for: `nodes` and `edges` of a connection.
    Asked,
    /// As many as the field's own arguments ask for.
    Counted,
}

/// An argument that is a number of items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    pub argument: &'static str,
    /// A larger number costs no more: it is refused when it is resolved.
    pub most: u64,
    /// Units for each of the items, whether or not they are selected.
    pub each: u64,
}

/// An argument that makes a field expensive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    pub name: &'static str,
    /// Units if the argument is given and not null.
    pub given: u64,
    /// Units for each value in it, lists and objects included.
    pub each_value: u64,
}

/// Whether what stands below a field is read from a past state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// As what stands beside the field.
    Unchanged,
    Always,
    /// If this argument is given and not null.
    IfGiven(&'static str),
}

impl Price {
    /// A field that is at hand once its object is.
    pub const FIELD: Price = Price::of(1);

    /// A field of one value that costs so many units.
    pub const fn of(units: u64) -> Price {
        Price {
            units,
            past_units: 0,
            items: Items::One,
            count: None,
            argument: None,
            past: Past::Unchanged,
        }
    }

    /// A list of at most so many items.
    pub const fn list(items: u64) -> Price {
        Price {
            items: Items::AtMost(items),
            ..Price::of(1)
        }
    }

    /// The same, with units in addition in a past state.
    #[must_use]
    pub const fn in_past(self, past_units: u64) -> Price {
        Price { past_units, ..self }
    }

    /// The same, with an argument that costs something.
    #[must_use]
    pub const fn with(self, argument: Argument) -> Price {
        Price {
            argument: Some(argument),
            ..self
        }
    }

    /// The same, with an argument that is a number of items.
    #[must_use]
    pub const fn counting(self, count: Count) -> Price {
        Price {
            count: Some(count),
            ..self
        }
    }
}
