//! The types of the schema with the price of each field, so that a document can be priced without executing it.

use std::collections::HashMap;

use async_graphql::parser::types::{BaseType, FieldDefinition, Type, TypeKind, TypeSystemDefinition};
use async_graphql::parser::{Error, parse_schema};
use async_graphql::{Positioned, Value};

use crate::price::Price;

/// A type with fields, by its place in the table.
pub(super) type TypeId = usize;

/// A schema's types, fields, and prices. The default knows no types: every field then costs one unit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prices {
    types: Vec<Composite>,
    by_name: HashMap<String, TypeId>,
    /// Those of queries, mutations and subscriptions.
    pub(super) query: Option<TypeId>,
    pub(super) mutation: Option<TypeId>,
    pub(super) subscription: Option<TypeId>,
}

/// An object, interface or union.
#[derive(Clone, Debug, Default, PartialEq)]
struct Composite {
    /// The objects that a value of this type may be, sorted: of an object, itself.
    possible: Vec<TypeId>,
    fields: HashMap<String, Priced>,
}

/// A field that is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Priced {
    pub(super) price: Price,
    /// What stands below it; `None` for a leaf.
    pub(super) of: Option<TypeId>,
    /// The default of the argument that counts items.
    pub(super) default_count: Option<Value>,
}

impl Prices {
    /// Prices the fields of a schema, given as text: `price` says what a field of a type that implements some interfaces
    /// costs, if not the default.
    ///
    /// # Errors
    /// If the text is not a schema.
    pub fn new(sdl: &str, price: impl Fn(&str, &[&str], &str) -> Option<Price>) -> Result<Prices, Error> {
        let document = parse_schema(sdl)?;
        let mut prices = Prices::default();
        let definitions = || {
            document.definitions.iter().filter_map(|definition| match definition {
                TypeSystemDefinition::Type(definition) => Some(&definition.node),
                _ => None,
            })
        };
        for definition in definitions() {
            if matches!(
                definition.kind,
                TypeKind::Object(_) | TypeKind::Interface(_) | TypeKind::Union(_)
            ) {
                let id = prices.types.len();
                prices.types.push(Composite::default());
                prices.by_name.insert(definition.name.node.to_string(), id);
            }
        }
        for definition in definitions() {
            let Some(id) = prices.id(&definition.name.node) else {
                continue;
            };
            let (fields, implements) = match &definition.kind {
                TypeKind::Object(object) => (object.fields.as_slice(), object.implements.as_slice()),
                TypeKind::Interface(interface) => (interface.fields.as_slice(), interface.implements.as_slice()),
                TypeKind::Union(union) => {
                    let members = union
                        .members
                        .iter()
                        .filter_map(|member| prices.id(&member.node))
                        .collect();
                    prices.types[id].possible = members;
                    continue;
                }
                _ => continue,
            };
            let implements: Vec<&str> = implements.iter().map(|name| name.node.as_str()).collect();
            if matches!(definition.kind, TypeKind::Object(_)) {
                for of in implements
                    .iter()
                    .filter_map(|name| prices.id(name))
                    .chain([id])
                    .collect::<Vec<_>>()
                {
                    prices.types[of].possible.push(id);
                }
            }
            let priced = |field: &Positioned<FieldDefinition>| {
                let name = field.node.name.node.as_str();
                let price = price(&definition.name.node, &implements, name).unwrap_or(Price::FIELD);
                (name.to_owned(), prices.priced(&field.node, price))
            };
            prices.types[id].fields = fields.iter().map(priced).collect();
        }
        for composite in &mut prices.types {
            composite.possible.sort_unstable();
        }
        for definition in &document.definitions {
            if let TypeSystemDefinition::Schema(schema) = definition {
                let root = |name: &Option<Positioned<async_graphql::Name>>| {
                    name.as_ref().and_then(|name| prices.id(&name.node))
                };
                let schema = &schema.node;
                let roots = (root(&schema.query), root(&schema.mutation), root(&schema.subscription));
                (prices.query, prices.mutation, prices.subscription) = roots;
            }
        }
        Ok(prices)
    }

    fn priced(&self, field: &FieldDefinition, price: Price) -> Priced {
        let default_count = price.count.and_then(|count| {
            let argument = field
                .arguments
                .iter()
                .find(|argument| argument.node.name.node == count.argument)?;
            argument.node.default_value.as_ref().map(|value| value.node.clone())
        });
        Priced {
            price,
            of: self.id(named(&field.ty.node)),
            default_count,
        }
    }

    /// The type of this name, if it has fields.
    pub(super) fn id(&self, name: &str) -> Option<TypeId> {
        self.by_name.get(name).copied()
    }

    pub(super) fn field(&self, of: TypeId, name: &str) -> Option<&Priced> {
        self.types[of].fields.get(name)
    }

    /// The objects that a value of a type may be, sorted.
    pub(super) fn possible(&self, of: TypeId) -> &[TypeId] {
        &self.types[of].possible
    }
}

/// The type that a field has, or that the items of its list have.
fn named(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(item) => named(item),
    }
}
