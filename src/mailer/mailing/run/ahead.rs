//! Whose turn it is, and who comes after: the next mail is let in early, so that it can be opened in the same packet that ends
//! the one before.

use std::slice;

use tokio::time::Instant;

use super::super::lease::{Holding, Work};
use super::broken::At;
use super::{Lane, Stop};
use crate::mailer::{
    domains::{Crowd, Ticket},
    fate::Words,
    mime::message_id,
    relays::Kind,
    retry::Waiting,
    smtp::Envelope,
    transport::{Line, Way},
    verp,
};

/// A recipient whose provider has room.
pub(super) struct Mail<'w> {
    pub(super) work: &'w Work,
    pub(super) message_id: String,
    /// The address that bounces of this one mail come to, if there is a domain for them.
    pub(super) own: Option<String>,
    /// `None` when the address cannot stand on a command line.
    pub(super) envelope: Option<Envelope>,
    /// The relay that was chosen early; whoever does not use it says so.
    pub(super) way: Option<Way>,
    ticket: Option<Ticket>,
}

impl Mail<'_> {
    /// What others do by now.
    pub(super) fn crowd(&self, lane: &Lane<'_>) -> Crowd {
        let app = lane.app;
        app.mailer.turns.crowd(app, self.work.group.name())
    }

    pub(super) fn kind(&self) -> Kind {
        if self.work.was_deferred {
            Kind::Again
        } else {
            Kind::First
        }
    }

    /// What chooses its relay: the same reader comes to the same one.
    pub(super) fn key(&self) -> u64 {
        self.work.reader.0.unsigned_abs()
    }

    /// Chooses a relay for it, if that takes no waiting.
    pub(super) fn choose_early(&mut self, line: &Line) {
        if self.way.is_none() {
            self.way = line.choose_at_once(self.key(), self.kind());
        }
    }
}

/// The recipients of a batch, in order.
pub(super) struct Recipients<'w> {
    rest: slice::Iter<'w, Work>,
    /// With a batch that is all for one provider, the lane itself has a place there.
    seat: Option<Ticket>,
}

impl<'w> Recipients<'w> {
    pub(super) fn of(work: &'w [Work]) -> Self {
        Self {
            rest: work.iter(),
            seat: None,
        }
    }

    /// The next whose provider has room; those whose has none are put aside. `now_sending` goes out before it.
    pub(super) fn next(
        &mut self,
        lane: &mut Lane<'_>,
        holding: &Holding,
        now_sending: Option<&Mail<'w>>,
    ) -> Result<Option<Mail<'w>>, Stop> {
        let now = Instant::now();
        while let Some(work) = self.rest.as_slice().first() {
            lane.at = At::BeforeIntent(work.reader);
            let group = &work.group;
            let own = group.name() == holding.provider;
            let crowd = lane.app.mailer.turns.crowd(lane.app, group.name());
            if now_sending.is_some() && group.holds_up(crowd) {
                // It rests after each mail, for as long as that took: only its outcome says when the next may go.
                return Ok(None);
            }
            self.rest.next();
            let has_place = (own && self.seat.is_some())
                || now_sending.is_some_and(|mail| mail.work.group.name() == group.name());
            let ticket = if has_place {
                group.go_on(now, crowd).map(|()| None)
            } else {
                group.enter(now, crowd).map(Some)
            };
            let mut ticket = match ticket {
                Ok(ticket) => ticket,
                Err(until) => {
                    lane.no_room(holding, work, until)?;
                    continue;
                }
            };
            if own && ticket.is_some() {
                self.seat = ticket.take();
            }
            let (keys, edition) = (&lane.app.keys, &holding.edition);
            let message_id = message_id(keys, holding.issue, work.reader, edition.domain());
            let mail = verp::Mail::Issue(holding.issue, work.reader);
            let own = verp::own(lane.app, mail);
            let from = own.as_deref().unwrap_or(edition.sender());
            let envelope = Envelope::new(from, &work.address).ok();
            let envelope = envelope.map(|envelope| envelope.identified(&message_id));
            return Ok(Some(Mail {
                work,
                envelope: envelope.map(|envelope| envelope.sized(edition.octets())),
                message_id,
                own,
                way: None,
                ticket,
            }));
        }
        Ok(None)
    }
}

impl Lane<'_> {
    /// A mail that was let in early, unless its provider wants a rest by now.
    pub(super) fn still_wanted<'w>(
        &mut self,
        line: &Line,
        holding: &Holding,
        mail: Mail<'w>,
    ) -> Result<Option<Mail<'w>>, Stop> {
        let (group, crowd) = (&mail.work.group, mail.crowd(self));
        let Err(until) = group.go_on(Instant::now(), crowd) else {
            return Ok(Some(mail));
        };
        line.forgo(mail.way);
        self.no_room(holding, mail.work, until)?;
        Ok(None)
    }

    /// A recipient whose provider has no room is put aside until it has. Once the issue's time is over, what a provider that takes nothing
    /// told others is its answer to this one, too: only one may try at a time, and the last would wait for weeks.
    fn no_room(&mut self, holding: &Holding, work: &Work, until: Instant) -> Result<(), Stop> {
        let group = &work.group;
        if holding.is_late(self.app.clock.now())
            && let Some(told) = group.takes_nothing(Instant::now())
        {
            self.later(holding, work, Words::untried(&told), Waiting::Bulk);
        } else if group.name() == holding.provider {
            return Err(Stop::Wait(until));
        } else {
            self.at = At::Nobody;
            self.aside.add(group, work.reader, until);
        }
        Ok(())
    }
}

/// `mail` is over: its place at the provider goes to `next`, if that has none of its own.
pub(super) fn hand_on(mail: &mut Mail<'_>, next: Option<&mut Mail<'_>>) {
    if let Some(next) = next
        && next.ticket.is_none()
        && next.work.group.name() == mail.work.group.name()
    {
        next.ticket = mail.ticket.take();
    }
}
