import Model
import Synchronization
import SystemRuntime

/// What the thread of a publisher does: the schedule decides, the spool keeps, the sink brings.
struct PublishLoop {
  enum Event: Sendable {
    case submitted(PublishedEvent, Int64, [UInt8], size: Int)
    case reported(RecordOutcome, generation: Int)
    case use(PublishConfiguration, Publisher.MakeSink)
    case finish(within: Duration)
  }

  private var makeSink: Publisher.MakeSink
  private let host: String
  private let inbox: Inbox<Event>
  private let counters: PublishCounters
  private let notices: PublishNotices
  private let warn: @Sendable (Warning) -> Void

  private var schedule: PublishSchedule
  private var recovery = Recovery<RecordFailure>()
  private var sink: (any RecordSink)?
  /// Which sink it is: what an earlier one has reported is of no interest.
  private var generation = 0
  private var deadline: Instant?
  /// How many were not taken, as far as is known here.
  private var notTaken: UInt64 = 0

  init(
    _ configuration: PublishConfiguration, host: String, _ makeSink: @escaping Publisher.MakeSink,
    _ inbox: Inbox<Event>, _ counters: PublishCounters, _ warn: @escaping @Sendable (Warning) -> Void
  ) {
    (self.makeSink, self.host, self.inbox, self.counters) = (makeSink, host, inbox, counters)
    self.warn = warn
    notices = PublishNotices(warn)
    schedule = PublishSchedule(window: configuration.window, limit: configuration.spoolSize)
  }

  /// Publishes until the end.
  mutating func run(spool path: String?) {
    let run = String(UInt64.random(in: .min ... .max), radix: 16)
    var spool = PublishSpool(path, run: String(repeating: "0", count: 16 - run.count) + run, warn: warn)
    for old in spool.load() { drop(schedule.add(old.number, old.event, size: old.size), from: &spool) }
    while !isOver {
      pump(&spool)
      inbox.waker.wait(timeout: pause)
      var delivered: [UInt64] = []
      for event in inbox.take() { take(event, &spool, &delivered) }
      noteNotTaken(spool.place)
      spool.sync()
      if !delivered.isEmpty { spool.remove(delivered) }
    }
    sink?.stop()
    notices.end(unsaved: spool.countOfUnsaved)
  }

  private var isOver: Bool {
    guard let deadline else { return false }
    return schedule.isIdle || sink == nil || notices.isTroubled || .now >= deadline
  }

  private var pause: Duration? {
    var times = deadline.map { [$0] } ?? []
    if sink != nil {
      times += [schedule.due].compactMap { $0 }
    } else if case .failed(_, _, let retryAt) = recovery.state {
      times.append(retryAt)
    }
    return times.min().map { max(.zero, $0 - .now) }
  }

  /// Gives the sink what it has room for.
  private mutating func pump(_ spool: inout PublishSpool) {
    if sink == nil, recovery.isDue(at: .now) { start() }
    while let sink, let number = schedule.start(at: .now) {
      switch spool.record(number, host: host) {
      case .read(let record): sink.submit(record, number: number)
      case .later(let why):
        _ = schedule.refuse(number, .later, at: .now)
        notices.setAside("\(spool.place) cannot be read (\(why)): see why.", at: .now)
      case .lost:
        if schedule.finish(number, isDelivered: false) { spool.remove([number]) }
        lose(1, why: .unreadable(spool.place))
      }
    }
  }

  private mutating func start() {
    generation += 1
    do throws(RecordFailure) {
      sink = try makeSink { [inbox, generation] in inbox.post(.reported($0, generation: generation)) }
    } catch { fail(error) }
  }

  private mutating func take(_ event: Event, _ spool: inout PublishSpool, _ delivered: inout [UInt64]) {
    switch event {
    case .submitted(let event, let time, let text, let size):
      counters.waiting.subtract(size, ordering: .relaxed)
      store(event, time, text, &spool)
    case .reported(let outcome, let generation):
      guard generation == self.generation, sink != nil else { return }
      switch outcome {
      case .delivered(let number):
        if schedule.finish(number) { delivered.append(number) }
        recovery.succeed()
        notices.recover(isWhole: schedule.countSetAside == 0)
      case .refused(let number, let failure):
        recovery.succeed()
        if schedule.refuse(number, failure.kind, at: .now) {
          spool.remove([number])
          lose(1, why: .refused(failure.description))
        } else {
          notices.setAside(failure.description, at: .now)
        }
      case .connected: break
      case .notice(let text): notices.trouble(text, spool: spool.place)
      case .failed(let failure):
        sink?.stop()
        sink = nil
        if let refused = schedule.fail(failure.kind) {
          spool.remove([refused])
          lose(1, why: .refused(failure.description))
        }
        fail(failure, spool: spool.place)
      }
    case .use(let configuration, let makeSink):
      self.makeSink = makeSink
      drop(schedule.use(window: configuration.window, limit: configuration.spoolSize), from: &spool)
      sink?.stop()
      sink = nil
      _ = schedule.fail(.later)
      schedule.forgive()
      recovery.retryAtOnce()
      notices.restart()
    case .finish(let duration):
      deadline = .now + duration
      recovery.retryAtOnce()
    }
  }

  private mutating func store(
    _ event: PublishedEvent, _ time: Int64, _ text: [UInt8], _ spool: inout PublishSpool
  ) {
    let number = spool.nextNumber()
    // Room is made first.
    let dropped = schedule.add(number, event, size: PublishSpool.size(text.count))
    drop(dropped, from: &spool)
    guard dropped.last != number, !spool.store(number, event, time: time, text) else { return }
    schedule.withdraw(number)
    lose(1, why: .noPlace(spool.place))
  }

  private mutating func fail(_ failure: RecordFailure, spool: String? = nil) {
    recovery.fail(failure, at: .now)
    notices.fail(failure, spool: spool)
  }

  private mutating func drop(_ numbers: [UInt64], from spool: inout PublishSpool) {
    guard !numbers.isEmpty else { return }
    spool.remove(numbers)
    lose(numbers.count, why: .full(spool.place))
  }

  private mutating func noteNotTaken(_ place: String) {
    let count = counters.notTaken.load(ordering: .relaxed)
    guard count != notTaken else { return }
    notTaken = count
    notices.say(.slowDisk(place))
  }

  private func lose(_ count: Int, why: PublishNotices.Loss) {
    counters.dropped.add(UInt64(count), ordering: .relaxed)
    notices.say(why)
  }
}
