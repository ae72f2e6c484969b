import Model
import Program
import SystemPackage
import SystemRuntime
import Tstat

/// Why a run ends before its end.
struct SendFailure: Error {
  let status: ExitStatus
  /// One sentence; nil where it is no failure: nobody reads what is printed.
  let description: String?

  init(_ status: ExitStatus, _ description: String?) {
    self.status = status
    self.description = description
  }

  init(_ error: LogDirectoryError) { self.init(.temporary, "\(error)") }
  init(_ error: KernelError) { self.init(.temporary, "\(error)") }

  init(_ failure: RecordFailure) {
    if failure == PrintSink.nobodyReads {
      self.init(.temporary, nil)
      return
    }
    switch failure.kind {
    case .later: self.init(.temporary, failure.description)
    case .configuration: self.init(.configuration, failure.description)
    case .data: self.init(.data, failure.description)
    }
  }
}

/// A run: the directories in the order of time, their slices into the sink, and what is confirmed onto the disk.
struct SendRun: ~Copyable {
  private enum Token {
    static let signals: UInt64 = 0
    static let outcomes: UInt64 = 1
  }

  /// A directory of which not all is confirmed yet.
  struct Open {
    let directory: OpenLogDirectory
    let lock: DirectoryLock?
    /// What is read of it.
    let logs: [LogFile]
    let fingerprint: SendProgress.Fingerprint
    /// Which of its slices earlier runs could not send.
    let refused: Set<Int>
    /// False for one of which a log could not be read, or not be used: it is not marked.
    var isWhole = true
    /// True once it was said why a message of it is refused.
    var hasSaidRefusal = false
  }

  /// How long what is confirmed waits at most for its record.
  static let delay = Duration.milliseconds(100)
  /// The most messages of a directory that may be refused.
  static let mostRefused = 1_000
  /// The most directories that are open at once: each takes two descriptors.
  private static let mostOpen = 128

  /// When what is confirmed was recorded last.
  var savedAt = Instant.now
  /// True when a log could not be read, or had no row of use.
  var hasBadData = false
  /// True when a message was not taken that may be later.
  var isUnfinished = false

  let root: LogRoot
  let destination: Destination
  private let options: RowOptions
  let command: TstatSend
  private let lock: DirectoryLock?
  private let poller: Poller
  private let signals: SignalPipe
  private let inbox: Inbox<RecordOutcome>
  private var events = PollEvents(capacity: 2)
  private var sink: (any RecordSink)?
  var window: SendWindow
  var open: [Int: Open] = [:]
  var writer: SendWriter
  private var isEnding = false
  private var isConnected = false

  /// Whether what is confirmed is kept in files.
  var keepsProgress: Bool { !command.noTransport }
  var marks: Bool { keepsProgress || command.mark }

  /// Takes the root for this run. From here on signals only wake it.
  init(root: LogRoot, destination: Destination, command: TstatSend, writer: SendWriter) throws(SendFailure) {
    let lock: DirectoryLock?
    do throws(LogDirectoryError) {
      lock = command.onlyLooks ? nil : try DirectoryLock(root, for: "tstat_send")
    } catch {
      guard case .noLocks = error else { throw SendFailure(error) }
      writer.warn("\(error)")
      lock = nil
    }
    do throws(KernelError) {
      let inbox = try Inbox<RecordOutcome>()
      let signals = try SignalPipe()
      let poller = try Poller()
      do throws(Errno) {
        try poller.add(signals, token: Token.signals)
        try poller.add(inbox.waker, token: Token.outcomes)
      } catch { throw .failed("waiting for signals and confirmations", error) }
      self.inbox = inbox
      self.signals = signals
      self.poller = poller
    } catch { throw SendFailure(error) }
    self.lock = lock
    self.root = root
    self.destination = destination
    self.command = command
    self.writer = writer
    options = command.rowOptions
    window = SendWindow(command.window)
  }

  /// Sends what is to be sent, and waits until it is confirmed.
  mutating func run() throws(SendFailure) {
    do throws(SendFailure) {
      if !command.checkConfig { try sendAll() }
      try connect()
      while !window.isEmpty { try serve(waits: true) }
    } catch {
      sink?.stop()
      // What was confirmed need not be sent again.
      let reason = error.description
      do throws(SendFailure) { try record(all: true) } catch {
        // A disk that is full is full for this, too.
        if let text = error.description, text != reason { writer.error(text) }
      }
      throw error
    }
    sink?.stop(waiting: .seconds(2))
    if !command.checkConfig { writer.finish(isInterrupted: isEnding) }
  }

  /// Reaches the broker also where there was nothing to send, so that a wrong configuration is known before there is.
  private mutating func connect() throws(SendFailure) {
    guard sink == nil, destination.connectsFirst, !isEnding else { return }
    sink = try makeSink()
    while !isConnected { try serve(waits: true) }
  }

  private func makeSink() throws(SendFailure) -> any RecordSink {
    let inbox = inbox
    return try destination.sink(timeout: command.timeout.duration) { inbox.post($0) }
  }

  private mutating func sendAll() throws(SendFailure) {
    let directories = try find()
    writer.begin(directories)
    for (number, directory) in directories.enumerated() {
      let hasSent = try send(directory, number)
      if isEnding || hasSent && command.single { break }
    }
  }

  /// Submits a directory's slices; returns whether it had any that no run has submitted to its end.
  private mutating func send(_ found: LogDirectory, _ number: Int) throws(SendFailure) -> Bool {
    var hasNew = false
    while open.count >= Self.mostOpen { try serve(waits: true) }
    var slices: LogSlices
    let refused: Set<Int>
    do throws(LogDirectoryError) {
      guard let begun = try begin(found, number) else { return false }
      slices = begun
      refused = open[number]?.refused ?? []
    } catch {
      switch error {
      case .inUse: throw SendFailure(error)
      case .vanished: writer.gone(found)
      case .replaced, .changed: writer.note("\(error)")
      default:
        hasBadData = true
        writer.error("\(error)")
      }
      return false
    }
    while let slice = slices.next() {
      writer.say(slices.takeRemarks())
      writer.read(number, slices.counts)
      while !window.hasRoom { try serve(waits: true) }
      // Too many messages of it were refused.
      guard open[number] != nil else { break }
      try submit(slice, of: number)
      // One that is refused by each run holds up no other directory with --single.
      if !refused.contains(slice.number) { hasNew = true }
      try serve(waits: false)
    }
    writer.say(slices.takeRemarks())
    writer.read(number, slices.counts)
    if slices.isIncomplete || slices.isUseless || slices.isDamaged {
      hasBadData = true
      open[number]?.isWhole = false
    }
    window.finishReading(number, total: slices.sliceCount)
    try settle()
    return hasNew
  }

  private mutating func begin(
    _ found: LogDirectory, _ number: Int
  ) throws(LogDirectoryError) -> LogSlices? {
    let directory = try OpenLogDirectory(found, in: root)
    if marks { try directory.checkIsWritable() }
    let lock = marks ? try lock(directory) : nil
    // Another run may have sent it since it was found, and its logs may have grown.
    let now = try directory.refreshed()
    guard !now.isProcessed else { return nil }
    let fingerprint = SendProgress.Fingerprint(logs: now.logs, settings: options.fingerprint)
    var acknowledged = 0
    var refused: Set<Int> = []
    if keepsProgress {
      switch try directory.progress(for: fingerprint) {
      case .acknowledged(let count, let exceptions): (acknowledged, refused) = (count, exceptions)
      case .unusable(let reason): writer.startsAgain(directory.directory, reason)
      }
    }
    open[number] = Open(
      directory: directory, lock: lock, logs: now.logs, fingerprint: fingerprint, refused: refused)
    window.begin(number, acknowledged: acknowledged, refused: refused)
    writer.begin(number, now, acknowledged: acknowledged - refused.count)
    return LogSlices(directory, logs: now.logs, options: options, skipping: acknowledged, but: refused)
  }

  /// The root itself is locked already.
  private func lock(_ directory: OpenLogDirectory) throws(LogDirectoryError) -> DirectoryLock? {
    guard !directory.directory.isRoot else { return nil }
    do throws(LogDirectoryError) { return try directory.lock(for: "tstat_send") } catch {
      // It was said of the root.
      guard case .noLocks = error else { throw error }
      return nil
    }
  }

  private mutating func submit(_ slice: Slice, of number: Int) throws(SendFailure) {
    guard let directory = open[number]?.directory else { return }
    let sink = if let current = self.sink { current } else { try makeSink() }
    self.sink = sink
    // What is printed needs no id, unless it is said.
    let record =
      command.noTransport && !writer.isVerbose
      ? Record(id: "", body: slice.body, time: 0)
      : slice.record(
        directory: directory.name, source: directory.directory.path(below: root),
        time: WallClock.now().seconds)
    sink.submit(record, number: window.submit(slice.number, of: number))
    writer.submitted(slice, of: directory.directory, id: record.id)
  }

  /// Takes what has come: confirmations, and signals. With `waits` it waits until there is something.
  private mutating func serve(waits: Bool) throws(SendFailure) {
    let patience = window.hasUnrecorded ? min(writer.patience ?? Self.delay, Self.delay) : writer.patience
    poller.wait(into: &events, timeout: waits ? patience : .zero)
    while let signal = signals.next() {
      guard signal == .interrupt || signal == .terminate else { continue }
      guard !isEnding else {
        throw SendFailure(
          .temporary, "ended at once: what is not confirmed yet is sent again by the next run.")
      }
      isEnding = true
      writer.ending()
    }
    for outcome in inbox.take() {
      switch outcome {
      case .delivered(let number): if window.acknowledge(number) { writer.acknowledged() }
      case .connected: isConnected = true
      case .notice(let text): writer.warn(text)
      case .refused(let number, let failure): try leave(number, failure)
      case .failed(let failure): throw SendFailure(failure)
      }
    }
    try settle()
    writer.progress()
  }
}
