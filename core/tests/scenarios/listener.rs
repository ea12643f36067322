//! A reader that keeps what it was told, and holds it to the rules: offsets without a hole, and nothing after the end.

use std::ops::Range;

use orchflow_core::hub::{Output, Reader};
use orchflow_core::pty::Exit;

use crate::stage::within;

/// Somebody who reads.
pub(crate) struct Listener {
    pub(crate) reader: Reader,
    pub(crate) heard: Vec<u8>,
    pub(crate) gaps: Vec<Range<u64>>,
    /// Where the next output must begin.
    at: u64,
    searched: usize,
}

impl Listener {
    pub(crate) fn new(reader: Reader) -> Listener {
        let at = reader.offset();
        Listener { reader, heard: Vec::new(), gaps: Vec::new(), at, searched: 0 }
    }

    /// Takes the next output.
    pub(crate) async fn next(&mut self) -> Output {
        let output = self.reader.read().await;
        self.note(&output);
        output
    }

    /// Keeps what was read past this listener.
    pub(crate) fn note(&mut self, output: &Output) {
        match output {
            Output::Chunk { at, bytes } => {
                assert_eq!(*at, self.at, "a chunk that does not follow what came before");
                assert!(!bytes.is_empty());
                self.at += bytes.len() as u64;
                self.heard.extend_from_slice(bytes);
            }
            Output::Gap { from, to } => {
                assert!(*from == self.at && to > from, "a gap {from}..{to} at {}", self.at);
                self.at = *to;
                self.gaps.push(*from..*to);
            }
            Output::Exit(_) => {}
        }
    }

    /// Listens until `text` has been heard, after whatever was waited for before.
    pub(crate) async fn hear(&mut self, text: &str) {
        let what = format!("{text:?}, with {:?} heard so far", self.tail());
        within(&what, async {
            while !self.find(text.as_bytes()) {
                if let Output::Exit(exit) = self.next().await {
                    panic!("{exit:?} instead of {text:?}, after {:?}", self.tail());
                }
            }
        })
        .await
    }

    /// Listens until `count` bytes were heard.
    pub(crate) async fn hear_bytes(&mut self, count: usize) {
        within(&format!("{count} bytes"), async {
            while self.heard.len() < count {
                if let Output::Exit(exit) = self.next().await {
                    panic!("{exit:?} after {} of {count} bytes", self.heard.len());
                }
            }
        })
        .await
    }

    /// Listens to the end.
    pub(crate) async fn end(&mut self) -> Exit {
        let exit = within("the end of the output", async {
            loop {
                if let Output::Exit(exit) = self.next().await {
                    return exit;
                }
            }
        })
        .await;
        assert_eq!(self.reader.try_read(), Some(Output::Exit(exit)), "the end is told as often as it is asked for");
        exit
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }

    /// How many bytes it was told that it missed.
    pub(crate) fn missed(&self) -> u64 {
        self.gaps.iter().map(|gap| gap.end - gap.start).sum()
    }

    /// Forgets what was heard, so that the rest can be compared by itself.
    pub(crate) fn forget(&mut self) {
        self.heard.clear();
        self.searched = 0;
    }

    /// Forgets what was heard up to the end of `text`, which was heard.
    pub(crate) fn forget_through(&mut self, text: &[u8]) {
        let at = self.heard.windows(text.len()).position(|window| window == text).expect("what was heard");
        self.heard.drain(..at + text.len());
        self.searched = 0;
    }

    fn find(&mut self, text: &[u8]) -> bool {
        let unsearched = &self.heard[self.searched..];
        let found = unsearched.windows(text.len()).position(|window| window == text);
        self.searched += found.map_or(unsearched.len().saturating_sub(text.len() - 1), |at| at + text.len());
        found.is_some()
    }

    fn tail(&self) -> String {
        String::from_utf8_lossy(&self.heard[self.heard.len().saturating_sub(200)..]).into_owned()
    }
}

/// Compares long outputs without printing them.
#[track_caller]
pub(crate) fn assert_same(heard: &[u8], expected: &[u8]) {
    let wrong = heard.iter().zip(expected).position(|(heard, expected)| heard != expected);
    assert!(
        wrong.is_none() && heard.len() == expected.len(),
        "{} bytes instead of {}, first difference {wrong:?}",
        heard.len(),
        expected.len()
    );
}
