//! The next recipients of a batch. The mail after the current one is admitted early, so that its MAIL command can go
//! out in the same packet that ends the current mail.

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
    /// The return path of this mail, if a bounce domain is configured.
    pub(super) own: Option<String>,
    /// `None` if the address cannot be written in an SMTP command.
    pub(super) envelope: Option<Envelope>,
    /// The relay that was chosen early. If it is not used, it must be released.
    pub(super) way: Option<Way>,
    ticket: Option<Ticket>,
}

impl Mail<'_> {
    /// The competition for its provider at this moment.
    pub(super) fn crowd(&self, lane: &Lane<'_>) -> Crowd {
        let app = lane.app;
        app.mailer.fair_queue.crowd(app, self.work.group.name())
    }

    pub(super) fn kind(&self) -> Kind {
        if self.work.was_deferred {
            Kind::Again
        } else {
            Kind::First
        }
    }

    /// The key by which its relay is chosen, so that the same reader gets the same relay.
    pub(super) fn key(&self) -> u64 {
        self.work.reader.0.unsigned_abs()
    }

    /// Chooses a relay for it, if that is possible without waiting.
    pub(super) fn choose_early(&mut self, line: &Line) {
        if self.way.is_none() {
            self.way = line.choose_at_once(self.key(), self.kind());
        }
    }
}

/// The recipients of a batch, in order.
pub(super) struct Recipients<'w> {
    rest: slice::Iter<'w, Work>,
    /// In a batch for one provider, the lane's own place at that provider.
    seat: Option<Ticket>,
}

impl<'w> Recipients<'w> {
    pub(super) fn of(work: &'w [Work]) -> Self {
        Self {
            rest: work.iter(),
            seat: None,
        }
    }

    /// The next recipient whose provider has room; the others are put aside. `now_sending` is the mail sent before it.
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
            let crowd = lane.app.mailer.fair_queue.crowd(lane.app, group.name());
            if now_sending.is_some() && group.holds_up(crowd) {
                // The provider pauses after each mail for as long as that mail took, so wait for its outcome.
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
    /// Returns a mail that was admitted early, unless its provider is throttled by now.
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

    /// Puts aside a recipient whose provider has no room. If the issue has expired and the provider accepts nothing,
    /// its reply to others counts for this recipient, too: only one mail at a time may try it, so the last one would
    /// wait for weeks.
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

/// Passes the finished mail's place at its provider to `next`, if that has none of its own.
pub(super) fn hand_on(mail: &mut Mail<'_>, next: Option<&mut Mail<'_>>) {
    if let Some(next) = next
        && next.ticket.is_none()
        && next.work.group.name() == mail.work.group.name()
    {
        next.ticket = mail.ticket.take();
    }
}
