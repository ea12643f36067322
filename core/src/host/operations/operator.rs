//! Operations that a host adds to those every server has.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;

use super::Resource;
use crate::limits::ANSWER_BYTES_MAX;
use crate::protocol::message::{Answer, ErrorCode, Fault, Outcome};
use crate::protocol::token::Role;

/// Work that takes long, for another thread.
pub type Work = Box<dyn FnOnce() -> Result<Bytes, Fault> + Send>;

/// What comes of an operation when it is carried out.
pub enum Run {
    /// It is done.
    Done(Result<Bytes, Fault>),
    /// This has to be done for it, which takes longer than a few microseconds.
    Work(Work),
}

/// An operation of the host's own. Who may use it asks for it by [`Operation::Host`](crate::protocol::message::Operation::Host).
///
/// # Examples
/// An operation that counts how often it was asked for, by one at a time:
/// ```
/// # use bytes::Bytes;
/// # use orchflow_core::host::{Operator, Run};
/// struct Count(u64);
///
/// impl Operator for Count {
///     fn resource(&self, _body: &[u8]) -> Option<u64> {
///         Some(0)
///     }
///
///     fn run(&mut self, _body: Bytes) -> Run {
///         self.0 += 1;
///         Run::Done(Ok(self.0.to_string().into()))
///     }
/// }
/// ```
pub trait Operator: Send {
    /// Who may use it: somebody in this role, or in one that may do more.
    fn role(&self) -> Role {
        Role::Owner
    }

    /// What it works on: two with the same number are carried out one after the other, in order. `None`: on nothing that others
    /// share.
    fn resource(&self, body: &[u8]) -> Option<u64> {
        let _ = body;
        None
    }

    /// What it costs besides [`OPERATION_COST`](crate::limits::OPERATION_COST), of which 64 are about 0.2 ms.
    fn cost(&self, body: &[u8]) -> u64 {
        body.len() as u64
    }

    /// Carries it out. It must not wait, for everybody else does meanwhile; nor ask its [`Service`](crate::hub::serve::Service) for
    /// anything, which is locked. [`Work`] may do both. What it answers has at most [`ANSWER_BYTES_MAX`] bytes.
    fn run(&mut self, body: Bytes) -> Run;
}

/// The operations that a host has added, by name.
#[derive(Default)]
pub struct Operators(BTreeMap<String, (u32, Box<dyn Operator>)>);

impl Operators {
    /// From now on `name` means this operation.
    pub fn add(&mut self, name: impl Into<String>, operator: impl Operator + 'static) {
        let (name, count) = (name.into(), self.0.len() as u32);
        let number = self.0.get(&name).map_or(count, |(number, _)| *number);
        self.0.insert(name, (number, Box::new(operator)));
    }

    /// What an operation works on, and what it costs where others of its kind cost `cost`.
    ///
    /// # Errors
    /// Where it panics.
    pub(super) fn place(&self, name: &str, body: &[u8], cost: u64) -> Result<(Option<Resource>, u64), Fault> {
        let Some((number, operator)) = self.0.get(name) else { return Ok((None, cost)) };
        let (resource, more) = foreign(|| (operator.resource(body), operator.cost(body)))?;
        Ok((resource.map(|resource| Resource::Host(*number, resource)), cost.saturating_add(more)))
    }

    /// Carries one out for somebody in `role`.
    ///
    /// # Errors
    /// Why it is not.
    pub(crate) fn run(&mut self, name: &str, body: Bytes, role: Role) -> Result<Run, Fault> {
        let Some((_, operator)) = self.0.get_mut(name) else {
            let name: String = name.chars().take(32).flat_map(char::escape_debug).collect();
            return Err(Fault::new(ErrorCode::NoOperation, format!("this server has no operation `{name}`")));
        };
        let needed = operator.role();
        if role.at_most(needed) != needed {
            return Err(Fault::new(ErrorCode::Forbidden, format!("to do this one must be {needed}: connect with that link")));
        }
        foreign(|| operator.run(body))
    }
}

/// Calls what is not ours: if it panics its own operation is refused, and nobody else notices.
fn foreign<T>(call: impl FnOnce() -> T) -> Result<T, Fault> {
    let panicked = |_| Fault::new(ErrorCode::Internal, "it panicked: that is a bug of the server's program");
    catch_unwind(AssertUnwindSafe(call)).map_err(panicked)
}

/// Does work that takes long.
pub(crate) fn work(work: Work) -> Result<Bytes, Fault> {
    foreign(work).and_then(|result| result)
}

/// What such an operation answers, if it is short enough.
pub(crate) fn answer(result: Result<Bytes, Fault>) -> Outcome {
    let bytes = result?;
    if bytes.len() > ANSWER_BYTES_MAX {
        let message = format!("it was carried out, and answered {} bytes, of which {ANSWER_BYTES_MAX} may be told", bytes.len());
        return Err(Fault::new(ErrorCode::Internal, message));
    }
    Ok((!bytes.is_empty()).then_some(Answer::Host(bytes)))
}
