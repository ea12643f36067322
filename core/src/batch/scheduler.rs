//! Which of many waiting operations is next.
//!
//! Operations come in four [classes](Class). Each class that has any is due a **quantum** of work within its budget: 0.5, 5, 20 or 200 ms
//! after it had none, or after its last quantum. The class that is due first is served (earliest deadline first, Liu and
//! Layland 1973), and once it has had a quantum its deadline is set anew. So a more urgent class is preferred, and a less urgent one
//! gets a quantum in each of its budgets however much is asked for above it. (Deadlines by arrival would not do: a class with more work than
//! there is time for would soon be overdue for good, and preferred to everything that comes. Renewing them with what was served
//! is the constant bandwidth server of Abeni and Buttazzo, 1998.)
//!
//! Within a class each **flow**, all that one client asks for, has its turn: deficit round robin (Shreedhar and Varghese 1995), by
//! [cost](crate::limits::OPERATION_COST), not by count.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::QUANTUM_COST;
use crate::metrics::Urgency;
use crate::time::Time;

/// How urgent an operation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A person waits for it.
    Interactive,
    /// A program waits for it.
    #[default]
    Control,
    /// Somebody waits for all of many.
    Bulk,
    /// Nobody waits for it.
    Background,
}

impl Class {
    /// All of them, the most urgent first.
    pub const ALL: [Class; 4] = [Class::Interactive, Class::Control, Class::Bulk, Class::Background];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Class::Interactive => "interactive",
            Class::Control => "control",
            Class::Bulk => "bulk",
            Class::Background => "background",
        }
    }

    /// What it is counted as.
    pub const fn urgency(self) -> Urgency {
        match self {
            Class::Interactive => Urgency::Interactive,
            Class::Control => Urgency::Control,
            Class::Bulk => Urgency::Bulk,
            Class::Background => Urgency::Background,
        }
    }

    /// How long what is asked for waits at the most before some of the class is served, however much is asked for in others: a
    /// thirtieth of a frame of a screen, what a program's call takes anyway, a frame, and what a person begins to notice.
    pub const fn budget(self) -> Duration {
        match self {
            Class::Interactive => Duration::from_micros(500),
            Class::Control => Duration::from_millis(5),
            Class::Bulk => Duration::from_millis(20),
            Class::Background => Duration::from_millis(200),
        }
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Items that wait, each of a class and a flow.
///
/// # Examples
/// ```
/// # use orchflow_core::{batch::{Class, Scheduler}, limits::OPERATION_COST, time::Time};
/// let mut scheduler = Scheduler::default();
/// for item in ["one", "two"] {
///     scheduler.push(Class::Bulk, "ada", OPERATION_COST, item, Time::ZERO);
/// }
/// scheduler.push(Class::Interactive, "bob", OPERATION_COST, "a key", Time::ZERO);
/// let order: Vec<_> = std::iter::from_fn(|| scheduler.pop(Time::ZERO)).collect();
/// assert_eq!(order, ["a key", "one", "two"]);
/// ```
#[derive(Debug)]
pub struct Scheduler<F, T> {
    queues: [Queue<F, T>; Class::ALL.len()],
}

/// What waits of one class.
#[derive(Debug)]
struct Queue<F, T> {
    flows: BTreeMap<F, Flow<T>>,
    /// Those of whom something waits, in the order of their turns.
    turns: VecDeque<F>,
    /// When its next quantum is due.
    due: Time,
    /// What it was served of this one.
    served: u64,
}

/// What waits of one flow: each item with its cost.
#[derive(Debug)]
struct Flow<T> {
    items: VecDeque<(u64, T)>,
    /// What may be taken in this turn.
    deficit: u64,
}

impl<F: Ord + Copy, T> Scheduler<F, T> {
    /// Something waits, which costs so much.
    pub fn push(&mut self, class: Class, flow: F, cost: u64, item: T, now: Time) {
        let queue = &mut self.queues[class as usize];
        if queue.turns.is_empty() {
            (queue.due, queue.served) = (now + class.budget(), 0);
        }
        let flow_of = queue.flows.entry(flow).or_insert_with(|| {
            queue.turns.push_back(flow);
            Flow { items: VecDeque::new(), deficit: QUANTUM_COST }
        });
        flow_of.items.push_back((cost, item));
    }

    /// The next, with what it costs.
    pub fn pop(&mut self, now: Time) -> Option<T> {
        let waiting = Class::ALL.into_iter().filter(|class| !self.queues[*class as usize].turns.is_empty());
        let class = waiting.min_by_key(|class| self.queues[*class as usize].due)?;
        let queue = &mut self.queues[class as usize];
        let (cost, item) = queue.pop()?;
        queue.served += cost;
        if queue.served >= QUANTUM_COST {
            (queue.due, queue.served) = (now + class.budget(), 0);
        }
        Some(item)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queues.iter().all(|queue| queue.turns.is_empty())
    }
}

impl<F: Ord + Copy, T> Default for Scheduler<F, T> {
    fn default() -> Self {
        let queue = |_| Queue { flows: BTreeMap::new(), turns: VecDeque::new(), due: Time::ZERO, served: 0 };
        Scheduler { queues: std::array::from_fn(queue) }
    }
}

impl<F: Ord + Copy, T> Queue<F, T> {
    fn pop(&mut self) -> Option<(u64, T)> {
        loop {
            let turn = *self.turns.front()?;
            let flow = self.flows.get_mut(&turn)?;
            let is_affordable = flow.items.front().is_none_or(|(cost, _)| *cost <= flow.deficit);
            if !is_affordable {
                flow.deficit += QUANTUM_COST;
                self.turns.rotate_left(1);
                continue;
            }
            let (cost, item) = flow.items.pop_front()?;
            flow.deficit -= cost;
            if flow.items.is_empty() {
                // What it did not use is not saved up.
                self.flows.remove(&turn);
                self.turns.pop_front();
            }
            return Some((cost, item));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::OPERATION_COST;

    /// How long an item of a cost takes: a quantum of the smallest, 200 µs.
    fn time_of(cost: u64) -> Duration {
        Duration::from_nanos(cost * 200_000 / QUANTUM_COST)
    }

    const QUANTUM_TIME: Duration = Duration::from_micros(200);

    #[derive(Clone, Debug)]
    struct Job {
        class: Class,
        flow: u8,
        cost: u64,
        came: Time,
    }

    /// Serves what comes, one thing after the other, and says when each began.
    fn serve(mut jobs: Vec<Job>) -> Vec<(Job, Time)> {
        jobs.sort_by_key(|job| job.came);
        let (mut scheduler, mut now, mut served) = (Scheduler::default(), Time::ZERO, Vec::new());
        let mut coming = jobs.into_iter().peekable();
        loop {
            while let Some(job) = coming.next_if(|job| job.came <= now) {
                scheduler.push(job.class, job.flow, job.cost, job.clone(), now);
            }
            match (scheduler.pop(now), coming.peek()) {
                (Some(job), _) => {
                    served.push((job.clone(), now));
                    now = now + time_of(job.cost);
                }
                (None, Some(job)) => now = job.came,
                (None, None) => return served,
            }
        }
    }

    /// So many of a class, all there at once.
    fn many(class: Class, flows: u8, each: usize) -> impl Iterator<Item = Job> {
        (0..flows).flat_map(move |flow| (0..each).map(move |_| Job { class, flow, cost: OPERATION_COST, came: Time::ZERO }))
    }

    fn begun(served: &[(Job, Time)], class: Class) -> impl Iterator<Item = Duration> {
        served.iter().filter(move |(job, _)| job.class == class).map(|(job, began)| *began - job.came)
    }

    #[test]
    fn keys_beside_a_hundred_bulk_clients_wait_for_one_operation_or_a_quantum_that_is_due() {
        let keys = (0..500).map(|n| Job { class: Class::Interactive, flow: 200, cost: OPERATION_COST, came: Time::from_millis(n) });
        let served = serve(many(Class::Bulk, 100, 2_000).chain(keys).collect());
        assert!(served.last().unwrap().1 > Time::from_millis(600), "there is more to do than time");
        let waits: Vec<Duration> = begun(&served, Class::Interactive).collect();
        assert!(waits.iter().max().unwrap() <= &(QUANTUM_TIME + time_of(OPERATION_COST)), "{:?}", waits.iter().max());
        let short = waits.iter().filter(|wait| **wait <= time_of(OPERATION_COST)).count();
        assert!(short * 100 >= waits.len() * 95, "{short} of {}", waits.len());
    }

    #[test]
    fn background_is_served_within_its_budget_under_a_full_load_of_everything_else() {
        let above = [Class::Interactive, Class::Control, Class::Bulk].map(|class| many(class, 10, 10_000));
        let one = Job { class: Class::Background, flow: 0, cost: OPERATION_COST, came: Time::ZERO };
        let served = serve(above.into_iter().flatten().chain([one]).collect());
        let waited = begun(&served, Class::Background).next().unwrap();
        assert!(waited <= Class::Background.budget() + 3 * QUANTUM_TIME, "{waited:?}");
        assert!(waited > Class::Bulk.budget(), "it is not preferred to what is more urgent");
    }

    #[test]
    fn flows_of_a_class_share_by_cost_not_by_count() {
        let small = (0..64 * 20).map(|_| Job { class: Class::Bulk, flow: 1, cost: OPERATION_COST, came: Time::ZERO });
        let large = (0..20).map(|_| Job { class: Class::Bulk, flow: 2, cost: QUANTUM_COST, came: Time::ZERO });
        let served = serve(small.chain(large).collect());
        let half: Vec<&Job> = served[..served.len() / 2].iter().map(|(job, _)| job).collect();
        let cost_of = |flow| half.iter().filter(|job| job.flow == flow).map(|job| job.cost).sum::<u64>();
        assert!(cost_of(1).abs_diff(cost_of(2)) <= 2 * QUANTUM_COST, "{} and {}", cost_of(1), cost_of(2));
    }

    #[test]
    fn an_item_dearer_than_a_quantum_comes_in_its_time() {
        let mut scheduler = Scheduler::default();
        scheduler.push(Class::Bulk, 1, 10 * QUANTUM_COST, "dear", Time::ZERO);
        scheduler.push(Class::Bulk, 2, OPERATION_COST, "cheap", Time::ZERO);
        assert_eq!(scheduler.pop(Time::ZERO), Some("cheap"));
        assert_eq!(scheduler.pop(Time::ZERO), Some("dear"));
        assert!(scheduler.is_empty() && scheduler.pop(Time::ZERO).is_none());
    }

    fn jobs() -> impl Strategy<Value = Vec<Job>> {
        let job = (0..4usize, 0..4u8, 1..=QUANTUM_COST, 0..400_000_000u64);
        let job = job.prop_map(|(class, flow, cost, came)| Job { class: Class::ALL[class], flow, cost, came: Time::from_nanos(came) });
        prop::collection::vec(job, 1..400)
    }

    proptest! {
        #[test]
        fn everything_is_served_once_and_each_flow_in_order(jobs in jobs()) {
            let served = serve(jobs.clone());
            prop_assert_eq!(served.len(), jobs.len());
            for class in Class::ALL {
                for flow in 0..4 {
                    let of = |job: &&Job| job.class == class && job.flow == flow;
                    let came: Vec<Time> = served.iter().map(|(job, _)| job).filter(of).map(|job| job.came).collect();
                    prop_assert!(came.is_sorted());
                }
            }
        }

        #[test]
        fn while_a_class_waits_it_is_served_a_quantum_in_each_budget(jobs in jobs()) {
            // Between two moments at which nothing of a class was served, something of it waiting, there is less than its budget and
            // what others are due meanwhile: a quantum each, and what they go beyond it.
            let served = serve(jobs);
            let slack = 8 * QUANTUM_TIME;
            for class in Class::ALL {
                let mut last = Time::ZERO;
                for (index, (job, began)) in served.iter().enumerate().filter(|(_, (job, _))| job.class == class) {
                    let since = last.max(served[index..].iter().filter(|(other, _)| other.class == class).map(|(other, _)| other.came).min().unwrap_or(job.came));
                    prop_assert!(*began - since <= class.budget() + slack, "{class:?} waited {:?}", *began - since);
                    last = *began + time_of(job.cost);
                }
            }
        }

        #[test]
        fn who_is_alone_with_something_urgent_waits_for_little(jobs in jobs()) {
            // A single key among anything that is less urgent: at most what is being served, and one quantum of each class that is due.
            let mut jobs: Vec<Job> = jobs.into_iter().filter(|job| job.class != Class::Interactive).collect();
            jobs.push(Job { class: Class::Interactive, flow: 9, cost: OPERATION_COST, came: Time::from_millis(100) });
            let served = serve(jobs);
            let waited = begun(&served, Class::Interactive).next().unwrap();
            prop_assert!(waited <= 6 * QUANTUM_TIME, "{waited:?}");
        }
    }
}
