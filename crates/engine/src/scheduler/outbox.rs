//! Events on their way out. Those of one step go together: each message on its own wakes the parent, which then takes a processor away
//! from the next step.

use crate::Event;

/// What has happened since the last [`Outbox::flush`], each event with the id of its request.
pub(crate) struct Outbox<'a> {
    events: Vec<(u64, Event)>,
    send: &'a mut dyn FnMut(Vec<(u64, Event)>),
}

impl<'a> Outbox<'a> {
    pub(super) fn new(send: &'a mut dyn FnMut(Vec<(u64, Event)>)) -> Self {
        Self {
            events: Vec::new(),
            send,
        }
    }

    pub(super) fn push(&mut self, id: u64, event: Event) {
        self.events.push((id, event));
    }

    /// Sends what there is, in the order in which it happened.
    pub(super) fn flush(&mut self) {
        if !self.events.is_empty() {
            (self.send)(std::mem::take(&mut self.events));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::mpsc;
    use std::time::Instant;

    use crate::fake::Fake;
    use crate::scheduler::{self, Progress, Work};
    use crate::{Event, LoadSpec, Message, Request, Role};

    #[test]
    fn what_a_step_makes_of_several_streams_goes_in_one_piece() {
        let (work, mailbox) = mpsc::channel();
        for id in [1, 2] {
            let say = Message::new(Role::User, "!say one two three four");
            let mut request = Box::new(Request::chat(vec![say]));
            // Nothing is guessed ahead: guesses are told one by one.
            request.sampling.temperature = 0.0;
            work.send(Work::Generate { id, request }).unwrap();
        }
        let (mut together, mut ended) = (0, 0);
        let mut send = |events: Vec<(u64, Event)>| {
            let texts = events.iter();
            let texts = texts.filter(|(_, event)| matches!(event, Event::Text { .. }));
            let streams: BTreeSet<u64> = texts.map(|(id, _)| *id).collect();
            together += usize::from(streams.len() == 2);
            ended += events.iter().filter(|(_, event)| event.is_last()).count();
            if ended == 2 {
                work.send(Work::ShutDown).unwrap();
            }
        };
        scheduler::run(
            &mut Fake::new(4096),
            LoadSpec::DEFAULT_SLOTS,
            None,
            &mailbox,
            &Progress::default(),
            Instant::now(),
            &mut send,
        );
        assert_eq!(ended, 2);
        assert!(together > 2, "only {together} pieces held text of both");
    }
}
