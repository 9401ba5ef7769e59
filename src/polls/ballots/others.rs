//! Whether ballots can be set aside without revealing what a few voters said: neither the ballots that are set aside
//! nor those that remain beside them may be fewer than the smallest cell that editors are shown.
//!
//! The remaining ballots are compared under every subset of the conditions: in all, and with the same tier, place or
//! hours. Otherwise the difference between two selections would be a small group.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use super::removal::{Selection, matching};
use crate::db::find_all;
use crate::polls::model::{Place, Poll, Tier};
use crate::polls::statistics::cells::SMALLEST_CELL;
use crate::types::{PollId, UnixMillis};

/// Counting ballots of a tier at a place, all inside or all outside the hours of a selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Group {
    tier: Tier,
    place: Place,
    within: bool,
    n: i64,
}

/// Why ballots cannot be set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Small {
    /// No ballot that counts is selected.
    Nothing,
    /// Too few ballots are selected.
    Selected,
    /// Of the selected ballots, too few belong to the tiers that the result counts.
    Counted,
    /// Too few ballots would remain, in all or with the same tier, place or hours.
    Others,
}

/// The number of counting ballots that `selection` selects by tier, place and hours, and why they cannot be set aside.
/// Reads every ballot of the poll, so it is meant for one call per page view by an editor.
pub async fn judge(
    db: &impl ConnectionTrait,
    poll: &Poll,
    selection: &Selection,
) -> Result<(i64, Option<Small>), DbErr> {
    let found = matching(db, poll.id, selection).await?;
    let why = match found {
        0 => Some(Small::Nothing),
        ..SMALLEST_CELL => Some(Small::Selected),
        _ => small(
            &groups(db, poll.id, selection).await?,
            selection,
            poll.headline_tier,
        ),
    };
    Ok((found, why))
}

/// The counting ballots of a poll in groups, for [`small`].
async fn groups(
    db: &impl ConnectionTrait,
    poll: PollId,
    selection: &Selection,
) -> Result<Vec<Group>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        tier: i16,
        source: i16,
        inside: i32,
        n: i64,
    }
    let sql = "SELECT tier, source, CASE WHEN cast_ms >= $2 AND cast_ms < $3 THEN 1 ELSE 0 END AS inside, COUNT(*) AS n \
               FROM ballot WHERE poll_id = $1 AND removed IS NULL GROUP BY 1, 2, 3";
    let from = selection.from.unwrap_or(UnixMillis(i64::MIN));
    let until = selection.until.unwrap_or(UnixMillis(i64::MAX));
    let rows: Vec<Row> = find_all(db, sql, [poll.into(), from.into(), until.into()]).await?;
    let group = |row: Row| Group {
        tier: Tier::from_code(row.tier),
        place: Place::from_code(row.source),
        within: row.inside != 0,
        n: row.n,
    };
    Ok(rows.into_iter().map(group).collect())
}

/// Why the ballots that `selection` selects by tier, place and hours cannot be set aside; `None`: they can. `headline`
/// is the lowest tier that the result counts.
fn small(groups: &[Group], selection: &Selection, headline: Tier) -> Option<Small> {
    // The numbers of all tiers are on the editors' pages, those from the headline tier on in the result.
    let from = [Tier::Anonymous, headline];
    let count = |least: Tier, by_tier: bool, by_place: bool, by_hours: bool| -> i64 {
        let selected = groups.iter().filter(|group| {
            group.tier >= least
                && (!by_tier || selection.tier.is_none_or(|tier| tier == group.tier))
                && (!by_place || selection.place.is_none_or(|place| place == group.place))
                && (!by_hours || group.within)
        });
        selected.map(|group| group.n).sum()
    };
    let is_small = |n: i64| (1..SMALLEST_CELL).contains(&n);
    for least in from {
        let selected = count(least, true, true, true);
        if is_small(selected) {
            return Some(Small::Counted);
        }
        for kept in 0..7 {
            let with = count(least, kept & 1 != 0, kept & 2 != 0, kept & 4 != 0);
            if is_small(with - selected) {
                return Some(Small::Others);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: Place = Place::PollPage;

    fn group(tier: Tier, place: Place, within: bool, n: i64) -> Group {
        Group {
            tier,
            place,
            within,
            n,
        }
    }

    #[test]
    fn neither_the_selected_nor_the_others_are_few() {
        let within = Selection::default();
        let early_and_late = |early, late| {
            let tier = Tier::Anonymous;
            let groups = [
                group(tier, PAGE, false, early),
                group(tier, PAGE, true, late),
            ];
            small(&groups, &within, tier)
        };
        assert_eq!(early_and_late(10, 10), None);
        assert_eq!(early_and_late(0, 10), None);
        assert_eq!(early_and_late(1, 99), Some(Small::Others));
        assert_eq!(early_and_late(9, 99), Some(Small::Others));
        assert_eq!(early_and_late(99, 9), Some(Small::Counted));
    }

    #[test]
    fn the_others_of_a_tier_a_place_or_an_hour_are_not_few_either() {
        let (tier, place) = (Some(Tier::Anonymous), Some(Place::Embed));
        let by_tier = Selection {
            tier,
            ..Selection::default()
        };
        let by_place = Selection {
            place,
            ..Selection::default()
        };
        let of_both = |other: Group, selection: &Selection| {
            let most = group(Tier::Anonymous, Place::Embed, true, 90);
            let rest = group(Tier::Anonymous, PAGE, false, 90);
            let better = group(Tier::Worked, PAGE, false, 90);
            small(&[most, rest, better, other], selection, Tier::Anonymous)
        };
        // The only signed-in reader of the hour: the hour from anybody, less the hour from the others.
        let reader = group(Tier::SignedIn, PAGE, true, 1);
        assert_eq!(of_both(reader, &by_tier), Some(Small::Others));
        let elsewhere = group(Tier::Anonymous, PAGE, true, 1);
        assert_eq!(of_both(elsewhere, &by_place), Some(Small::Others));
        let earlier = group(Tier::Anonymous, Place::Embed, false, 1);
        assert_eq!(of_both(earlier, &by_place), Some(Small::Others));
        assert_eq!(of_both(elsewhere, &by_tier), None);
    }

    #[test]
    fn the_result_does_not_change_by_a_few() {
        let groups = |readers| {
            [
                group(Tier::Anonymous, PAGE, true, 40),
                group(Tier::Subscriber, PAGE, true, readers),
                group(Tier::Anonymous, PAGE, false, 40),
                group(Tier::Subscriber, PAGE, false, 40),
            ]
        };
        let small = |readers, headline| small(&groups(readers), &Selection::default(), headline);
        assert_eq!(small(2, Tier::Subscriber), Some(Small::Counted));
        assert_eq!(small(2, Tier::Anonymous), None);
        assert_eq!(small(0, Tier::Subscriber), None);
        assert_eq!(small(10, Tier::Subscriber), None);
    }
}
