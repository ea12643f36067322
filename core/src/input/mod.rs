//! What goes into a terminal, before it is queued: [checked](validate), [pasted](paste) or made from
//! [named keys](keys).
//!
//! Everything here is a function of its arguments. Bytes a user typed are never altered: [`validate`] takes them or
//! refuses them. Only a paste is cleaned, for its text comes from somewhere else than the keyboard.
//!
//! Deliberately absent: a filter for "dangerous commands" (a shell has more spellings than any list) and a scan
//! for Ctrl-C in passing bytes (what is urgent is the caller's to say).

pub mod keys;
pub mod paste;
pub mod validate;
