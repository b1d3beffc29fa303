//! Decides which files of a day and bucket are merged: few are left where many would be read, and what is large is not written again and
//! again for the sake of what is small.

/// Files that a day may have once it is over.
const MANY_AFTERWARDS: usize = 4;
/// A file joins smaller ones unless it has more bytes than so many times all of them.
const JOINS_BELOW: u64 = 4;

/// Gives the places of the files to merge, by their sizes, where there are more than `many`; none where there are not. Of a day that is
/// over all become one.
pub(super) fn due(sizes: &[u64], is_over: bool, many: usize) -> Vec<usize> {
    let most = if is_over { many.min(MANY_AFTERWARDS) } else { many };
    if sizes.len() <= most.max(1) {
        return Vec::new();
    }
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    if is_over {
        return order;
    }
    order.sort_by_key(|&i| sizes[i]);
    let (mut run, mut bytes) = (0, 0_u64);
    for &i in &order {
        if run > 0 && sizes[i] > bytes.saturating_mul(JOINS_BELOW) {
            break;
        }
        bytes = bytes.saturating_add(sizes[i]);
        run += 1;
    }
    // However the sizes lie, half as many files as there may be are left.
    order.truncate(run.max(sizes.len() - many / 2).max(2));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_files_stay_and_many_small_ones_are_merged_without_the_large_one() {
        assert_eq!(due(&[9; 16], false, 16), [] as [usize; 0]);
        assert_eq!(due(&[9; 17], false, 16).len(), 17);
        let mut sizes = vec![10; 17];
        sizes[3] = 1_000_000;
        let merged = due(&sizes, false, 16);
        assert_eq!((merged.len(), merged.contains(&3)), (16, false));
    }

    #[test]
    fn of_a_day_that_is_over_all_files_become_one() {
        assert_eq!(due(&[1, 1, 1, 1], true, 16), [] as [usize; 0]);
        assert_eq!(due(&[1, 1_000_000, 1, 1, 1], true, 16), [0, 1, 2, 3, 4]);
    }

    /// A day in which a file comes each minute: what is written again, and how many files there ever are.
    #[test]
    fn a_day_of_small_files_is_written_again_a_few_times_and_never_has_many_files() {
        let (mut files, mut written, mut most) = (Vec::new(), 0_u64, 0);
        for _ in 0..1440 {
            files.push(1_u64);
            let merged = due(&files, false, 16);
            if !merged.is_empty() {
                let bytes: u64 = merged.iter().map(|&i| files[i]).sum();
                let left = (0..files.len()).filter(|i| !merged.contains(i)).map(|i| files[i]).collect::<Vec<_>>();
                files = left;
                files.push(bytes);
                written += bytes;
            }
            most = most.max(files.len());
        }
        assert_eq!(files.iter().sum::<u64>(), 1440);
        assert!(most <= 16 && written <= 1440 * 10, "{most} files, {written} written");
    }

    #[test]
    fn however_sizes_lie_enough_files_go() {
        let doubling: Vec<u64> = (0..40).map(|n| 10_u64.saturating_pow(n)).collect();
        assert_eq!(due(&doubling, false, 16).len(), 40 - 8);
    }
}
