use super::super::super::testing::event;
use super::*;

fn append(number: u32) -> Append {
    Append { event: event(number), reply: oneshot::channel().0 }
}

fn advance(urgent: bool) -> Advance {
    Advance { consumer: 0, progress: Progress { urgent, ..Progress::default() }, reply: oneshot::channel().0 }
}

#[test]
fn batches_are_bounded_and_in_order() {
    let inbox = Inbox::new(3, 2);
    for number in 0..3 {
        inbox.append(append(number), Instant::now()).unwrap();
    }
    assert_eq!(inbox.append(append(3), Instant::now()), Err(AppendError::Overloaded));
    assert!(inbox.take(Duration::ZERO).appends.is_empty(), "nothing is handed over yet");
    assert_eq!(inbox.gathered(), 3);
    inbox.hand_over();
    let events = |batch: Batch| batch.appends.into_iter().map(|append| append.event).collect::<Vec<_>>();
    assert_eq!(events(inbox.take(Duration::ZERO)), [event(0), event(1)]);
    assert_eq!(events(inbox.take(Duration::ZERO)), [event(2)]);
    assert_eq!(events(inbox.take(Duration::ZERO)), []);
}

#[test]
fn progress_waits_for_events_if_not_urgent() {
    let inbox = Inbox::new(3, 2);
    inbox.advance(advance(false)).unwrap();
    assert!(inbox.take(Duration::ZERO).advances.len() == 1, "the longest wait of the writer ends every wait");
    inbox.advance(advance(false)).unwrap();
    let began = Instant::now();
    assert_eq!(inbox.take(Duration::from_secs(60)).advances.len(), 1);
    assert!(began.elapsed() >= PROGRESS_WAIT_MAX / 2);
    inbox.advance(advance(false)).unwrap();
    inbox.append(append(1), Instant::now()).unwrap();
    inbox.hand_over();
    let batch = inbox.take(Duration::from_secs(60));
    assert_eq!((batch.appends.len(), batch.advances.len()), (1, 1));
    inbox.advance(advance(true)).unwrap();
    assert_eq!(inbox.take(Duration::from_secs(60)).advances.len(), 1);
}

#[test]
fn stalled_writer_gets_no_more_events() {
    let inbox = Inbox::new(3, 2);
    let began = Instant::now();
    assert_eq!(inbox.busy_for(began + Duration::from_secs(60)), Duration::ZERO, "it has no batch");
    inbox.append(append(1), began).unwrap();
    inbox.hand_over();
    inbox.take(Duration::ZERO);
    let (soon, late) = (began + Duration::from_secs(4), Instant::now() + Duration::from_secs(5));
    inbox.append(append(2), soon).unwrap();
    assert_eq!(inbox.append(append(3), late), Err(AppendError::Stalled(5)));
    inbox.take(Duration::ZERO);
    inbox.append(append(3), late - Duration::from_secs(4)).unwrap();
}

#[test]
fn closed_inbox_gives_out_the_rest() {
    let inbox = Inbox::new(3, 2);
    for number in 0..3 {
        inbox.append(append(number), Instant::now()).unwrap();
    }
    inbox.close();
    assert_eq!(inbox.append(append(4), Instant::now()), Err(AppendError::Closed));
    assert!(matches!(inbox.advance(advance(true)), Err(JournalError::Closed)));
    assert!(!inbox.take(Duration::from_secs(60)).is_last);
    assert!(inbox.take(Duration::from_secs(60)).is_last);
}
