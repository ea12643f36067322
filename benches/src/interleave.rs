//! Runs the sides of a comparison in turn, block by block, so that each block has its rival beside it in time.

use std::io;

/// What one side does when it is its turn: one block of work, and the block's figure.
pub(crate) type Turn<'a, T> = &'a mut dyn FnMut() -> io::Result<T>;

/// Lets every side run `blocks` blocks and returns them side by side.
///
/// The order turns round after each pass, so no side always comes first; of three, the one in the middle has both
/// others for neighbours and is the reference.
pub(crate) fn interleave<T, const SIDES: usize>(blocks: usize, sides: [Turn<'_, T>; SIDES]) -> io::Result<[Vec<T>; SIDES]> {
    let mut results = std::array::from_fn(|_| Vec::with_capacity(blocks));
    for pass in 0..blocks {
        for step in 0..SIDES {
            let side = if pass % 2 == 0 { step } else { SIDES - 1 - step };
            results[side].push(sides[side]()?);
        }
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn the_middle_side_always_runs_between_the_others() {
        let order = RefCell::new(String::new());
        let side = |name: char| {
            let order = &order;
            move || {
                order.borrow_mut().push(name);
                Ok(name)
            }
        };
        let [ours, reference, second] = interleave(3, [&mut side('o'), &mut side('r'), &mut side('s')]).unwrap();
        assert_eq!(*order.borrow(), "orssroors");
        assert_eq!((ours, reference, second), (vec!['o'; 3], vec!['r'; 3], vec!['s'; 3]));
    }

    #[test]
    fn a_side_that_fails_ends_the_comparison() {
        let broken = || Err::<(), _>(io::Error::other("no echo"));
        assert_eq!(interleave(2, [&mut || Ok(()), &mut { broken }]).unwrap_err().to_string(), "no echo");
    }
}
