//! The most recently used of many, as both ends of a connection count them.

/// A place for each of the `max` keys that were last used. The one that was not used for longest makes room.
///
/// Two of these that see the same keys in the same order hold the same keys: so a sender knows which contexts its receiver still has.
///
/// # Examples
/// ```
/// # use orchflow_core::pack::Recent;
/// let mut recent = Recent::new(2);
/// *recent.touch('a') = 1;
/// *recent.touch('b') = 2;
/// assert_eq!(*recent.touch('a'), 1);
/// *recent.touch('c') = 3; // 'b' makes room.
/// assert_eq!(*recent.touch('b'), 0);
/// ```
#[derive(Debug)]
pub struct Recent<K, T> {
    max: usize,
    /// The last used comes last.
    places: Vec<(K, T)>,
}

impl<K: PartialEq, T: Default> Recent<K, T> {
    /// Places for at most `max` keys, at least one.
    pub fn new(max: usize) -> Recent<K, T> {
        Recent { max: max.max(1), places: Vec::new() }
    }

    /// Uses the place of `key`, which is empty where it was not used lately.
    pub fn touch(&mut self, key: K) -> &mut T {
        match self.places.iter().position(|(known, _)| *known == key) {
            Some(at) => self.places[at..].rotate_left(1),
            None => {
                if self.places.len() == self.max {
                    self.places.remove(0);
                }
                self.places.push((key, T::default()));
            }
        }
        let (_, place) = self.places.last_mut().expect("invariant: one was just put there");
        place
    }

    /// Empties the place of `key`. It stays, for the other end knows nothing of it.
    pub fn clear(&mut self, key: K) {
        if let Some((_, place)) = self.places.iter_mut().find(|(known, _)| *known == key) {
            *place = T::default();
        }
    }
}
