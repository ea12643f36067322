//! Who waits for whom: the operations on each thing that several of them work on, in the order in which they were submitted.

use std::collections::{BTreeMap, VecDeque};

use super::{Resource, Task};
use crate::batch::Class;

/// All lines; where nobody waits there is none.
#[derive(Debug, Default)]
pub(super) struct Lines(BTreeMap<Resource, Line>);

#[derive(Debug, Default)]
struct Line {
    waiting: VecDeque<(Task, Class)>,
    /// How many of each class.
    classes: [u32; Class::ALL.len()],
}

impl Lines {
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `task` waits from now on. Answers whether it is the first.
    pub(super) fn join(&mut self, resource: Resource, task: Task, class: Class) -> bool {
        let line = self.0.entry(resource).or_default();
        line.waiting.push_back((task, class));
        line.classes[class as usize] += 1;
        line.waiting.len() == 1
    }

    /// Whose turn it is.
    pub(super) fn first(&self, resource: Resource) -> Option<Task> {
        self.0.get(&resource)?.waiting.front().map(|(task, _)| *task)
    }

    /// The same, with the most urgent class of those who wait, itself included.
    pub(super) fn hurried(&self, resource: Resource) -> Option<(Task, Class)> {
        let line = self.0.get(&resource)?;
        let class = Class::ALL.into_iter().find(|class| line.classes[*class as usize] > 0)?;
        line.waiting.front().map(|(task, _)| (*task, class))
    }

    /// Those in front have ended, as `ended` says of each. Answers whose turn it is then.
    pub(super) fn advance(&mut self, resource: Resource, ended: impl Fn(Task) -> bool) -> Option<Task> {
        let line = self.0.get_mut(&resource)?;
        while let Some((_, class)) = line.waiting.pop_front_if(|(task, _)| ended(*task)) {
            line.classes[class as usize] -= 1;
        }
        let first = line.waiting.front().map(|(task, _)| *task);
        if first.is_none() {
            self.0.remove(&resource);
        }
        first
    }
}
