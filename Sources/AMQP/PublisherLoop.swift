import Model
import SystemRuntime

/// What the thread of a publisher does: it connects, publishes, takes confirmations, and begins again after a loss.
final class PublisherLoop {
  private let configuration: RabbitConfiguration
  private let appID: String
  private let version: String
  private let limits: RabbitPublisher.Limits
  private let mailbox: PublisherMailbox
  private let report: @Sendable (RecordOutcome) -> Void

  /// Records that were not published on this connection, the oldest first.
  private var pending: [ConfirmWindow.Entry] = []
  private var window = ConfirmWindow()
  private var watch: DeliveryWatch
  private var backOff = BackOff()
  private var connection: RabbitConnection?
  private var wasConnected = false
  /// When to connect.
  private var nextAttempt = ContinuousClock.now
  /// Why the last connection ended.
  private var lastReason = ""
  /// True from the first loss until something is confirmed: it is told once.
  private var isOutageKnown = false

  init(
    _ configuration: RabbitConfiguration, appID: String, version: String, limits: RabbitPublisher.Limits,
    mailbox: PublisherMailbox, report: @escaping @Sendable (RecordOutcome) -> Void
  ) {
    self.configuration = configuration
    self.appID = appID
    self.version = version
    self.limits = limits
    self.mailbox = mailbox
    self.report = report
    watch = DeliveryWatch(unconfirmed: limits.unconfirmed, blocked: limits.blocked)
  }

  /// Runs until the publisher is stopped or has failed.
  func run() {
    do throws(RecordFailure) {
      while !mailbox.isStopped { try step() }
    } catch { tell(.failed(error)) }
    mailbox.note(nil)
    mailbox.stop()
    connection?.close()
    connection = nil
    mailbox.ended.wake()
  }

  private func step() throws(RecordFailure) {
    pending += mailbox.inbox.take()
    watch.note(isOwed: isOwed, at: .now)
    if connection == nil, nextAttempt <= .now { try connect() }
    if let connection {
      var failure: RecordFailure?
      do throws(RabbitTrouble) { failure = try serve(connection) } catch { try lose(error) }
      if let failure { throw failure }
      watch.note(isOwed: isOwed, at: .now)
    }
    if let verdict = watch.verdict(at: .now) {
      throw configuration.failure(after: verdict, isConnected: connection != nil, lastReason: lastReason)
    }
    wait()
  }

  private var isOwed: Bool { !pending.isEmpty || window.count > 0 }

  private func tell(_ outcome: RecordOutcome) {
    if !mailbox.isStopped { report(outcome) }
  }

  // MARK: Connections

  private func connect() throws(RecordFailure) {
    do throws(RabbitTrouble) {
      let connection = try RabbitConnection(
        configuration, appID: appID, version: version, connect: limits.connect)
      mailbox.note(connection)
      try connection.open()
      self.connection = connection
    } catch { return try lose(error) }
    wasConnected = true
    if !isOwed { recover() }
  }

  private func recover() {
    backOff.reset()
    isOutageKnown = false
  }

  /// Prepares for the next connection, or throws why there is none.
  private func lose(_ trouble: RabbitTrouble) throws(RecordFailure) {
    connection = nil
    mailbox.note(nil)
    if mailbox.isStopped { return }
    pending = window.disconnect() + pending
    watch.note(isBlocked: false, at: .now)
    lastReason = trouble.reason
    if let failure = trouble.failure(of: configuration) { throw failure }
    if !wasConnected, !limits.waitsForFirst { throw configuration.firstFailure(trouble) }
    nextAttempt = .now + backOff.next()
    if !isOutageKnown { tell(.notice(configuration.notice(of: trouble, waiting: pending.count))) }
    isOutageKnown = true
  }

  // MARK: Messages

  /// Publishes what waits, and takes what has come, until neither is left or the broker blocks. Returns why to end.
  private func serve(_ connection: RabbitConnection) throws(RabbitTrouble) -> RecordFailure? {
    var published = 0
    defer { pending.removeFirst(published) }
    if let failure = try receive(from: connection) { return failure }
    while try connection.flush(), published < pending.count, !watch.isBlocked, !mailbox.isStopped {
      let entry = pending[published]
      published += 1
      window.publish(entry)
      try connection.publish(entry.record)
      if let failure = try receive(from: connection) { return failure }
    }
    return nil
  }

  private func receive(from connection: RabbitConnection) throws(RabbitTrouble) -> RecordFailure? {
    while let event = try connection.next() {
      switch event {
      case .acknowledged(let tag, let multiple):
        let confirmation = window.acknowledge(tag, multiple: multiple)
        for entry in confirmation.delivered { tell(.delivered(entry.number)) }
        if let entry = confirmation.unroutable.first { return configuration.unroutable(entry.record) }
        if !confirmation.delivered.isEmpty {
          watch.succeed(at: .now)
          recover()
        }
      case .refused(let tag, let multiple):
        if let entry = window.refuse(tag, multiple: multiple).first {
          return configuration.refused(entry.record)
        }
      case .returned(let id, _, _): window.noteReturn(of: id)
      case .blocked(let reason):
        if !watch.isBlocked { tell(.notice(configuration.blockedNotice(reason, limit: limits.blocked))) }
        watch.note(isBlocked: true, at: .now)
      case .unblocked: watch.note(isBlocked: false, at: .now)
      }
    }
    return nil
  }

  // MARK: Waiting

  private func wait() {
    let now = ContinuousClock.now
    var instants = [watch.nextDeadline].compactMap { $0 }
    // librabbitmq sends a heartbeat only when it is called.
    if let heartbeat = connection?.heartbeat, heartbeat > 0 { instants.append(now + .seconds(heartbeat) / 4) }
    if connection == nil { instants.append(nextAttempt) }
    let timeout = instants.min().map { $0 - now }
    let waker = mailbox.inbox.waker
    if let connection {
      connection.wait(waker: waker.descriptor, timeout: timeout)
    } else {
      waker.wait(timeout: timeout)
    }
  }
}
