//! A small loader: what the fields of one answer ask for one by one is read together.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use crate::budget::Budget;
use crate::error::Result;

/// Collects keys that are asked for at the same time, and reads them in one go; keeps what it read.
///
/// Sibling fields are polled one after the other before any of them waits for the database: each leaves its key and
/// steps aside once, the first to go on reads for all. One that has paused since the execution ran for long is waited
/// for. Nothing waits for a clock.
#[derive(Debug)]
pub struct Loader<K, V> {
    state: Mutex<State<K, V>>,
    reading: tokio::sync::Mutex<()>,
    /// Of the execution whose fields ask.
    budget: Budget,
}

#[derive(Debug)]
struct State<K, V> {
    wanted: HashSet<K>,
    known: HashMap<K, V>,
}

impl<K, V> Default for Loader<K, V> {
    fn default() -> Self {
        Loader::within(Budget::default())
    }
}

impl<K, V> Loader<K, V> {
    /// For the fields of an execution with this budget.
    pub fn within(budget: Budget) -> Loader<K, V> {
        let state = Mutex::new(State {
            wanted: HashSet::new(),
            known: HashMap::new(),
        });
        Loader {
            state,
            reading: tokio::sync::Mutex::new(()),
            budget,
        }
    }
}

impl<K: Copy + Eq + Hash, V: Clone + Default> Loader<K, V> {
    /// The value of a key. `read` brings those of many; a key it leaves out has the default value.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn load<F, R>(&self, key: K, read: F) -> Result<V>
    where
        F: FnOnce(Vec<K>) -> R,
        R: Future<Output = Result<HashMap<K, V>>>,
    {
        if let Some(value) = self.want(key) {
            return Ok(value);
        }
        self.budget.settle().await;
        let _reading = self.reading.lock().await;
        if let Some(value) = self.want(key) {
            return Ok(value);
        }
        let keys: Vec<K> = std::mem::take(&mut self.state().wanted).into_iter().collect();
        let mut found = read(keys.clone()).await?;
        let mut state = self.state();
        for key in keys {
            state.known.insert(key, found.remove(&key).unwrap_or_default());
        }
        Ok(state.known.get(&key).cloned().unwrap_or_default())
    }

    fn want(&self, key: K) -> Option<V> {
        let mut state = self.state();
        let known = state.known.get(&key).cloned();
        if known.is_none() {
            state.wanted.insert(key);
        }
        known
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State<K, V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
