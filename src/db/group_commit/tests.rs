use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake};

use tokio::task::yield_now;

use super::*;

fn queue(capacity: usize, largest: usize) -> Queue {
    Queue {
        name: "test",
        capacity,
        largest,
    }
}

#[tokio::test]
async fn what_waits_during_a_commit_travels_together() {
    let commits = Arc::new(AtomicUsize::new(0));
    let (gate, opened) = tokio::sync::watch::channel(false);
    let counted = commits.clone();
    let queue = GroupCommit::start(queue(100, 100), move |group: Vec<u32>| {
        let counted = counted.clone();
        let mut opened = opened.clone();
        async move {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = opened.wait_for(|open| *open).await;
            Ok(group.into_iter().map(|n| n * 2).collect())
        }
    });
    let asked: Vec<_> = (0..50u32)
        .map(|n| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.submit(n).await.expect("committed") })
        })
        .collect();
    while commits.load(Ordering::SeqCst) == 0 {
        yield_now().await;
    }
    gate.send_replace(true);
    for (n, answer) in asked.into_iter().enumerate() {
        assert_eq!(answer.await.expect("no panic"), n as u32 * 2);
    }
    assert!(commits.load(Ordering::SeqCst) < 50);
}

/// Notes that a request was answered.
#[derive(Default)]
struct Told(AtomicBool);

impl Wake for Told {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

/// Otherwise the database would be idle while those who were answered make work for every thread.
#[tokio::test]
async fn the_next_commit_begins_before_the_last_group_is_answered() {
    let told = Arc::new(Told::default());
    let (gate, told_before) = (
        Arc::new(Semaphore::new(0)),
        Arc::<Mutex<Vec<bool>>>::default(),
    );
    let (closed, heard, noted) = (gate.clone(), told.clone(), told_before.clone());
    let queue = GroupCommit::start(queue(10, 10), move |group: Vec<u32>| {
        let (closed, heard, noted) = (closed.clone(), heard.clone(), noted.clone());
        async move {
            noted.lock().await.push(heard.0.load(Relaxed));
            closed.acquire().await.expect("open").forget();
            Ok(group)
        }
    });
    let (mut first, mut second) = (pin!(queue.submit(1)), pin!(queue.submit(2)));
    let waker = told.clone().into();
    assert!(
        first
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    while told_before.lock().await.is_empty() {
        yield_now().await;
    }
    assert!(futures::poll!(second.as_mut()).is_pending());
    gate.add_permits(1);
    while told_before.lock().await.len() < 2 {
        yield_now().await;
    }
    assert_eq!(first.await.expect("written"), 1);
    assert!(told.0.load(Relaxed));
    assert_eq!(*told_before.lock().await, [false, false]);
    gate.add_permits(1);
    assert_eq!(second.await.expect("written"), 2);
}

/// The sizes of the groups in which eight clients are written, of which `back` come back one after the other once they
/// were answered, and three others that arrive while the eight are being written.
async fn sizes(back: usize) -> Vec<usize> {
    let (gate, sizes) = (
        Arc::new(Semaphore::new(0)),
        Arc::<Mutex<Vec<usize>>>::default(),
    );
    let (closed, noted) = (gate.clone(), sizes.clone());
    let (queue, writer) = GroupCommit::open(queue(100, 100), Bounds::default(), move |group| {
        let (closed, noted) = (closed.clone(), noted.clone());
        async move {
            noted.lock().await.push(group.len());
            closed.acquire().await.expect("open").forget();
            Ok(group)
        }
    });
    let mut clients: Vec<_> = (0..8)
        .map(|n| {
            let queue = queue.clone();
            tokio::spawn(async move {
                queue.submit(n).await.expect("written");
                if n < back {
                    for _ in 0..2 * n {
                        yield_now().await;
                    }
                    queue.submit(n).await.expect("written again");
                }
            })
        })
        .collect();
    while queue.waiting() < 8 {
        yield_now().await;
    }
    let writer = tokio::spawn(writer);
    while sizes.lock().await.is_empty() {
        yield_now().await;
    }
    clients.extend((8..11).map(|n| {
        let queue = queue.clone();
        tokio::spawn(async move {
            queue.submit(n).await.expect("written");
        })
    }));
    drop(queue);
    while clients
        .iter()
        .filter(|client| !client.is_finished())
        .count()
        > 0
    {
        gate.add_permits(1);
        for _ in 0..100 {
            yield_now().await;
        }
    }
    writer.await.expect("it stops");
    let sizes = sizes.lock().await;
    sizes.clone()
}

#[tokio::test]
async fn a_group_goes_when_half_of_those_who_take_part_are_there() {
    // Six of eight and three.
    assert_eq!(sizes(8).await, [8, 6, 5]);
    // Those who stay away are not waited for.
    assert_eq!(sizes(0).await, [8, 3]);
    assert_eq!(sizes(1).await, [8, 4]);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let queue = GroupCommit::start(queue(1, 1), |group: Vec<()>| async move {
        std::future::pending::<()>().await;
        Ok(group)
    });
    let mut refused = 0;
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let queue = queue.clone();
        waiting.push(tokio::spawn(async move { queue.submit(()).await }));
        yield_now().await;
    }
    for task in waiting {
        if task.is_finished() {
            assert!(matches!(task.await.expect("no panic"), Err(Refused::Busy)));
            refused += 1;
        }
    }
    assert!(refused >= 2);
}

#[tokio::test]
async fn who_waits_too_long_is_refused_and_not_written() {
    let (written, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (counted, closed) = (written.clone(), gate.clone());
    let begun = Arc::new(AtomicUsize::new(0));
    let begins = begun.clone();
    let open = GroupCommit::open(queue(10, 1), Bounds::default(), move |group: Vec<u32>| {
        let (counted, closed) = (counted.clone(), closed.clone());
        begins.fetch_add(1, Ordering::SeqCst);
        async move {
            drop(closed.acquire().await);
            counted.fetch_add(group.len(), Ordering::SeqCst);
            Ok(group)
        }
    });
    let (queue, writer) = open;
    let writer = tokio::spawn(writer);
    let submit = |queue: &GroupCommit<u32, u32>, n, patience: Option<Duration>| {
        let (queue, room) = (queue.clone(), queue.room.clone());
        let until = patience.map(|patience| Instant::now() + patience);
        tokio::spawn(async move {
            let room = room.acquire_owned().await.expect("open");
            queue.enqueue(n, until, room).await
        })
    };
    let first = submit(&queue, 1, Some(Duration::ZERO));
    while begun.load(Ordering::SeqCst) == 0 {
        yield_now().await;
    }
    let second = submit(&queue, 2, Some(Duration::ZERO));
    let third = submit(&queue, 3, None);
    let refused = second.await.expect("no panic");
    assert!(matches!(refused, Err(Refused::Busy)), "{refused:?}");
    assert!(!first.is_finished(), "what is being written is waited for");
    assert_eq!(queue.waiting(), 1, "the third");
    gate.close();
    assert_eq!(first.await.expect("no panic").expect("written"), 1);
    assert_eq!(third.await.expect("no panic").expect("written"), 3);
    drop(queue);
    writer.await.expect("stops");
    assert_eq!(written.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn one_bad_request_does_not_fail_its_neighbours() {
    let queue = GroupCommit::start(queue(10, 10), |group: Vec<i32>| async move {
        if group.contains(&13) {
            return Err(DbErr::Custom("unlucky".into()));
        }
        Ok(group)
    });
    let (a, b, c) = tokio::join!(queue.submit(1), queue.submit(13), queue.submit(2));
    assert_eq!(a.expect("good"), 1);
    assert!(matches!(b, Err(Refused::Failed(_))));
    assert_eq!(c.expect("good"), 2);
}

#[tokio::test]
async fn a_group_waits_for_a_database_that_comes_back() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = tries.clone();
    let queue = GroupCommit::start(queue(10, 10), move |group: Vec<i32>| {
        let n = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            if n < 3 {
                tokio::time::sleep(Duration::from_millis(800)).await;
                return Err(DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout));
            }
            tokio::time::sleep(Duration::from_millis(16)).await;
            Ok(group)
        }
    });
    assert_eq!(queue.submit(1).await.expect("after some tries"), 1);
    assert_eq!(tries.load(Ordering::SeqCst), 4);
    // An eighth of the only commit there was; retries and the pauses between them do not count.
    assert!(
        queue.pace() >= Duration::from_millis(2),
        "{:?}",
        queue.pace()
    );
    assert!(
        queue.pace() < Duration::from_millis(150),
        "{:?}",
        queue.pace()
    );
}

/// The database hangs: the request that is being written gets Unknown, and the write still takes effect when it
/// completes.
#[tokio::test]
async fn who_is_being_written_for_too_long_is_told_that_nobody_knows() {
    let written = Arc::new(AtomicUsize::new(0));
    let (counted, gate) = (written.clone(), Arc::new(Semaphore::new(0)));
    let closed = gate.clone();
    let bounds = Bounds {
        patience: Duration::from_secs(60),
        longest_write: Duration::from_millis(50),
    };
    let queue = GroupCommit::start_within(queue(10, 10), bounds, move |group: Vec<u32>| {
        let (counted, closed) = (counted.clone(), closed.clone());
        async move {
            drop(closed.acquire().await);
            counted.fetch_add(group.len(), Ordering::SeqCst);
            Ok(group)
        }
    });
    let begun = Instant::now();
    let (told, patient) = tokio::join!(queue.submit(1), async {
        let waits = queue.submit_waiting(2);
        tokio::time::timeout(Duration::from_millis(500), waits).await
    });
    assert!(matches!(told, Err(Refused::Unknown)), "{told:?}");
    assert!(begun.elapsed() >= bounds.longest_write);
    assert!(patient.is_err(), "who has a bound of their own is not told");
    assert_eq!(written.load(Ordering::SeqCst), 0);
    gate.close();
    assert_eq!(queue.submit(3).await.expect("the queue goes on"), 3);
    assert_eq!(written.load(Ordering::SeqCst), 3, "the first two as well");
}

#[tokio::test]
async fn a_slip_that_breaks_the_commit_fails_alone_and_the_next_is_written() {
    crate::panics::watch();
    let queue = GroupCommit::start(queue(10, 10), |group: Vec<u32>| async move {
        assert!(!group.contains(&7), "broken, as the test wants");
        Ok(group)
    });
    let asked = (5..10).map(|n| queue.submit(n));
    let told = futures::future::join_all(asked).await;
    for (n, told) in (5..10).zip(told) {
        match (n, told) {
            (7, Err(Refused::Failed(words))) => assert!(!words.contains("broken"), "{words}"),
            (_, told) => assert_eq!(told.expect("written"), n),
        }
    }
    assert_eq!(queue.submit(1).await.expect("written"), 1);
    assert!(!queue.pulse().has_stopped());
}

#[tokio::test]
async fn a_writer_that_is_gone_is_seen() {
    let open = GroupCommit::open(queue(10, 1), Bounds::default(), |group: Vec<u32>| async {
        Ok(group)
    });
    let (queue, writer) = open;
    let writer = tokio::spawn(writer);
    assert_eq!(queue.submit(1).await.expect("written"), 1);
    assert!(!queue.pulse().has_stopped());
    writer.abort();
    let _ = writer.await;
    assert!(queue.pulse().has_stopped());
    assert!(matches!(queue.submit(1).await, Err(Refused::Busy)));
}
