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
  private var backOff = BackOff(first: .milliseconds(100), longest: .seconds(5))
  private var connection: RabbitConnection?
  private var wasConnected = false
  /// When to connect.
  private var nextAttempt = Instant.now
  /// Why the last connection ended.
  private var lastReason = ""
  /// True from the first loss, or block, until something is confirmed: each is reported once.
  private var isOutageKnown = false
  private var isBlockKnown = false

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
    mailbox.stop()
    connection?.close()
    connection = nil
    mailbox.note(nil)
    mailbox.ended.wake()
  }

  private func step() throws(RecordFailure) {
    pending += mailbox.inbox.take()
    watch.note(isOwed: isOwed, at: .now)
    if connection == nil, nextAttempt <= .now { try connect() }
    if let connection {
      do throws(RabbitTrouble) { try serve(connection) } catch { try lose(error) }
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
    tell(.connected)
    if !isOwed { resetAttempts() }
  }

  private func resetAttempts() {
    backOff.reset()
    (isOutageKnown, isBlockKnown) = (false, false)
  }

  /// Takes note that the broker has answered for a record.
  private func recover() {
    watch.succeed(at: .now)
    resetAttempts()
  }

  /// Prepares for the next connection, or throws why there is none.
  private func lose(_ trouble: RabbitTrouble) throws(RecordFailure) {
    connection = nil
    mailbox.note(nil)
    if mailbox.isStopped { return }
    // The connection was well: the next one is made at once.
    if trouble.isOfLength, let entry = window.takeLongest(), let failure = trouble.failure(of: configuration)
    {
      pending = window.disconnect() + pending
      watch.note(isBlocked: false, at: .now)
      nextAttempt = .now
      return refuse(entry, failure)
    }
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

  /// Publishes what waits, and takes what has come, until neither is left or the broker blocks.
  private func serve(_ connection: RabbitConnection) throws(RabbitTrouble) {
    var published = 0
    defer { pending.removeFirst(published) }
    try receive(from: connection)
    while try connection.flush(), published < pending.count, !watch.isBlocked, !mailbox.isStopped {
      let entry = pending[published]
      do throws(RabbitTrouble) { try connection.publish(entry.record) } catch {
        // Of what is too long nothing was sent.
        guard case .tooLong = error.what, let failure = error.failure(of: configuration) else { throw error }
        published += 1
        tell(.refused(entry.number, failure))
        continue
      }
      published += 1
      window.publish(entry)
      try receive(from: connection)
    }
  }

  private func receive(from connection: RabbitConnection) throws(RabbitTrouble) {
    while let event = try connection.next() {
      switch event {
      case .acknowledged(let tag, let multiple):
        let confirmation = window.acknowledge(tag, multiple: multiple)
        for entry in confirmation.delivered { tell(.delivered(entry.number)) }
        if !confirmation.delivered.isEmpty { recover() }
        for (entry, reason) in confirmation.unroutable {
          refuse(entry, configuration.unroutable(entry.record, reason))
        }
      case .refused(let tag, let multiple):
        for entry in window.refuse(tag, multiple: multiple) {
          refuse(entry, configuration.refused(entry.record))
        }
      case .returned(let id, let reason): window.noteReturn(of: id, reason)
      case .blocked(let reason):
        if !isBlockKnown { tell(.notice(configuration.blockedNotice(reason, limit: limits.blocked))) }
        isBlockKnown = true
        watch.note(isBlocked: true, at: .now)
      case .unblocked: watch.note(isBlocked: false, at: .now)
      }
    }
  }

  /// Goes on without a record, which is an answer of the broker as well.
  private func refuse(_ entry: ConfirmWindow.Entry, _ failure: RecordFailure) {
    recover()
    tell(.refused(entry.number, failure))
  }

  // MARK: Waiting

  private func wait() {
    let now = Instant.now
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
