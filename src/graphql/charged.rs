//! Lists and connections that charge the fields of their items before they resolve them.

use std::borrow::Cow;

use async_graphql::parser::types::{Field, FragmentDefinition, Selection, SelectionSet};
use async_graphql::registry::{MetaType, Registry};
use async_graphql::{ContextSelectionSet, Name, OutputType, Positioned, ServerResult, Value};

use super::error::Failure;
use crate::budget::{Budget, Exceeded};
use crate::queries::View;

/// A list, or a connection, that is charged to the budget of the execution.
#[derive(Clone, Debug)]
pub(super) struct Charged<T> {
    inner: T,
    items: usize,
    budget: Budget,
}

impl<T> Charged<Vec<T>> {
    /// A list in an answer of a view.
    pub(super) fn list(view: &View, items: Vec<T>) -> Charged<Vec<T>> {
        Charged::new(view.budget(), items.len(), items)
    }
}

impl<T> Charged<T> {
    /// Something that holds a number of items.
    pub(super) fn new(budget: &Budget, items: usize, inner: T) -> Charged<T> {
        Charged {
            inner,
            items,
            budget: budget.clone(),
        }
    }

    fn charge(&self, ctx: &ContextSelectionSet<'_>) -> Result<(), Exceeded> {
        if self.items == 0 {
            return self.budget.check();
        }
        let selected = Selected {
            fragments: &ctx.query_env.fragments,
            registry: &ctx.schema_env.registry,
        };
        let fields = selected.fields(&ctx.item.node).max(1);
        self.budget.fields(fields.saturating_mul(self.items as u64))
    }
}

impl<T: OutputType> OutputType for Charged<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn qualified_type_name() -> String {
        T::qualified_type_name()
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.inner.introspection_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> impl Future<Output = ServerResult<Value>> + Send {
        // Apart, as the resolvers of a type are one future, which holds those of all its fields: they call one another, and
        // the stack has to hold them.
        Box::pin(async move {
            self.budget.breathe().await;
            if let Err(exceeded) = self.charge(ctx) {
                let error = async_graphql::Error::from(Failure::from(exceeded));
                return Err(ctx.set_error_path(error.into_server_error(field.pos)));
            }
            self.inner.resolve(ctx, field).await
        })
    }
}

/// Counts the fields that are selected for one item of a list.
struct Selected<'a> {
    fragments: &'a std::collections::HashMap<Name, Positioned<FragmentDefinition>>,
    registry: &'a Registry,
}

impl Selected<'_> {
    /// All fields below a selection set, those of nested lists once. Branches for different object types count at their
    /// maximum, since an object is of one type.
    fn fields(&self, set: &SelectionSet) -> u64 {
        let mut always = 0_u64;
        let mut branches: Vec<(&str, u64)> = Vec::new();
        for selection in &set.items {
            let (condition, branch) = match &selection.node {
                Selection::Field(field) => {
                    always = always
                        .saturating_add(1)
                        .saturating_add(self.fields(&field.node.selection_set.node));
                    continue;
                }
                Selection::FragmentSpread(spread) => {
                    let Some(fragment) = self.fragments.get(&spread.node.fragment_name.node) else {
                        continue;
                    };
                    (Some(&fragment.node.type_condition), &fragment.node.selection_set)
                }
                Selection::InlineFragment(inline) => (inline.node.type_condition.as_ref(), &inline.node.selection_set),
            };
            let fields = self.fields(&branch.node);
            match condition.map(|condition| condition.node.on.node.as_str()) {
                Some(name) if self.is_object(name) => match branches.iter_mut().find(|(other, _)| *other == name) {
                    Some((_, sum)) => *sum = sum.saturating_add(fields),
                    None => branches.push((name, fields)),
                },
                _ => always = always.saturating_add(fields),
            }
        }
        let largest = branches.into_iter().map(|(_, fields)| fields).max();
        always.saturating_add(largest.unwrap_or_default())
    }

    fn is_object(&self, name: &str) -> bool {
        matches!(self.registry.types.get(name), Some(MetaType::Object { .. }))
    }
}
