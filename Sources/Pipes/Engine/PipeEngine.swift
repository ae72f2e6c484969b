public import Model
import Netfilter
import Synchronization
import SystemRuntime
import SystemPackage

/// Forwards TCP for any number of pipes, on threads of its own.
public final class PipeEngine {
  /// How long a start waits for the first addresses of a target, to find that it leads back to the pipe.
  static let firstAnswer = Duration.seconds(3)

  private let patience: Duration
  private let lookUp: Target.LookUp
  private let budget: DescriptorBudget
  /// Fewer than this are said at the start.
  private static let fewConnections = 64
  private let common: Worker.Common
  private let mailboxes: [Mailbox]
  private let log: @Sendable (Warning) -> Void
  private var addresses: LocalAddressSource?
  private var nextID = 0

  /// The pipes that listen, by their order in the configuration.
  private(set) var pipes: [Pipe] = []
  /// Pipes that were removed, until the meter has asked for their last bytes.
  private var removed: [Pipe] = []
  /// Pipes whose targets have no address yet: where they lead is not known.
  private var late: [Pipe] = []

  /// Starts `threads` threads, which wait for pipes; `log` gets what the administrator should know, on any of them.
  public convenience init(threads: Int, log: @escaping @Sendable (Warning) -> Void) throws(PipeError) {
    try self.init(threads: threads, keepAliveAge: KeepAliveSchedule.usual, log: log)
  }

  /// The same with another `keepAliveAge` of connections, another resolver, and other `patience` with it at the start.
  init(
    threads: Int, keepAliveAge: Duration = KeepAliveSchedule.usual, patience: Duration = firstAnswer,
    lookUp: @escaping Target.LookUp = NameResolution.endpoints, log: @escaping @Sendable (Warning) -> Void
  ) throws(PipeError) {
    do throws(KernelError) {
      self.log = log
      self.patience = patience
      self.lookUp = lookUp
      budget = DescriptorBudget(descriptors: DescriptorLimit.raise())
      common = try Worker.Common(workers: threads, budget: budget, keepAliveAge: keepAliveAge)
      var mailboxes: [Mailbox] = []
      for _ in 0..<threads { mailboxes.append(try Mailbox()) }
      for index in 0..<threads { try Self.startWorker(index, common, mailboxes) }
      self.mailboxes = mailboxes
      addresses = (try? LocalAddressReader()).map(LocalAddressSource.kernel)
    } catch { throw .kernel(error) }
  }

  deinit {
    for mailbox in mailboxes { mailbox.post(.stop) }
    for pipe in pipes { pipe.target.stop() }
  }

  private static func startWorker(_ index: Int, _ common: Worker.Common, _ mailboxes: [Mailbox])
    throws(KernelError)
  {
    let worker = try Worker(index: index, common: common, mailboxes: mailboxes)
    try WorkerThread.start("pipes-\(index)") { worker.run() }
  }

  private typealias Next = (pipe: Pipe, isNew: Bool, configuration: PipeConfiguration)

  /// Makes the pipes those of `configurations`: all or, when one cannot be opened, nothing changes.
  ///
  /// A pipe that stays, by its name and place, takes its new limits at once and keeps its connections; one that is
  /// gone is closed with its connections. `activated` are sockets that the first pipe listens on instead of its own.
  /// Without `waitsForNames` it is found later whether a name leads back to its pipe, which then refuses clients.
  public func apply(
    _ configurations: [PipeConfiguration], activated: [TCPListener] = [], waitsForNames: Bool = true
  ) throws(PipeError) {
    let (next, late) = try prepare(configurations, activated, waitsForNames ? patience : .zero)
    let now = Instant.now
    for pipe in pipes where !next.contains(where: { $0.pipe === pipe }) {
      warnOfCut(pipe)
      pipe.close()
      common.closing.wrappingAdd(mailboxes.count, ordering: .relaxed)
      post(.close(pipe))
      pipe.stopListening()
      pipe.target.stop()
      removed.append(pipe)
    }
    // Nobody listens any more where a removed pipe did: another may, also this program's next configuration.
    waitForWorkers { common.closing.load(ordering: .acquiring) == 0 }
    pipes = next.map(\.pipe)
    self.late = late
    // There is no ring any more, or not yet.
    for pipe in pipes { pipe.target.refuse(nil) }
    let room = budget.connections(services: pipes.count)
    common.connectionLimit.store(room, ordering: .relaxed)
    for (pipe, isNew, configuration) in next {
      if isNew { post(.open(pipe)) } else { pipe.use(configuration, at: now) }
    }
    warnOfDescriptors(configurations, room)
  }

  private func warnOfCut(_ pipe: Pipe) {
    let open = pipe.open
    guard open > 0 else { return }
    log(
      Warning(
        code: "cut",
        text:
          "\(pipe.name) is no longer configured as it was: cut \(open) open connection\(open == 1 ? "" : "s")",
        isNote: true))
  }

  /// Says at the start what would else be found when clients have to wait.
  private func warnOfDescriptors(_ configurations: [PipeConfiguration], _ room: Int) {
    // No sum of so much overflows: there are no more pipes than ports.
    let wanted = configurations.reduce(0) { $0 + min($1.maxConnections ?? 0, Int.max / 65536) }
    if wanted > room, let name = configurations.lazy.compactMap(\.limitName).first {
      log(
        Warning(
          code: "more_than_descriptors",
          text:
            "\(name) allows \(wanted) connections, but the limit of descriptors allows \(room). Raise that limit "
            + "\(DescriptorBudget.remedy), or lower \(name)."))
    } else if room < Self.fewConnections, configurations.contains(where: { $0.maxConnections == nil }) {
      log(
        Warning(
          code: "few_descriptors",
          text:
            "the limit of descriptors allows only \(room) connection\(room == 1 ? "" : "s") at a time: more clients wait. "
            + "Raise that limit \(DescriptorBudget.remedy)."))
    }
  }

  private func prepare(
    _ configurations: [PipeConfiguration], _ activated: [TCPListener], _ patience: Duration
  ) throws(PipeError) -> (next: [Next], late: [Pipe]) {
    var next: [Next] = []
    do throws(PipeError) {
      for configuration in configurations { next.append(try prepare(configuration, activated, next)) }
      try refuseLoops(next.lazy.filter(\.isNew).map(\.pipe), within: patience)
      // A name that is found after this is compared now and again later.
      let late = next.map(\.pipe).filter(\.target.known.isEmpty)
      if let names = rings(among: next.map { ($0.pipe, $0.configuration) }) { throw PipeError.ring(names) }
      return (next, late)
    } catch {
      for candidate in next where candidate.isNew { candidate.pipe.target.stop() }
      throw error
    }
  }

  private func prepare(
    _ configuration: PipeConfiguration, _ activated: [TCPListener], _ others: [Next]
  ) throws(PipeError) -> Next {
    if let twin = others.first(where: { $0.configuration.hasPlace(of: configuration) }) {
      throw .duplicate(twin.configuration.placedName, configuration.placedName)
    }
    let former = pipes.first { $0.configuration.hasPlace(of: configuration) }
    if let former, former.name == configuration.name,
      former.configuration.listsClients == configuration.listsClients
    {
      return (former, false, configuration)
    }
    let given = others.isEmpty && !activated.isEmpty ? activated : former?.listeners
    for listener in activated where others.isEmpty && listener.local.port != configuration.port {
      log(
        Warning(
          code: "other_port",
          text: "\(configuration.name): it listens on \(listener.local), as LISTEN_FDS has it, not on port "
            + "\(configuration.port). Give the .socket unit and the command line the same port."))
    }
    return (try make(configuration, given), true, configuration)
  }

  /// Connections that are open, or wait for their target.
  public var openConnections: Int { pipes.reduce(0) { $0 + $1.open } }

  /// Accepts nothing more; what is open goes on.
  public func drain() {
    post(.drain)
    for pipe in pipes { pipe.stopListening() }
  }

  /// Whether all that was open when draining began has ended.
  public var isDrained: Bool {
    common.draining.load(ordering: .acquiring) == mailboxes.count && openConnections == 0
  }

  /// Cuts what is open, ends all threads and returns when they have ended: the counters are final then.
  public func stop() {
    post(.stop)
    waitForWorkers { false }
  }

  /// Waits until something is so, or all workers have ended.
  private func waitForWorkers(until isSo: () -> Bool) {
    while !isSo(), common.running.load(ordering: .acquiring) > 0 { common.changed.wait() }
  }

  /// The pipes that were removed since this was last asked, which are counted a last time.
  func takeRemoved() -> [Pipe] {
    // Their connections are cut by other threads, which may still count for a moment.
    defer { removed.removeAll { $0.open == 0 } }
    return removed
  }

  private func post(_ message: Mailbox.Message) {
    for mailbox in mailboxes { mailbox.post(message) }
  }

  private func make(_ configuration: PipeConfiguration, _ given: [TCPListener]?) throws(PipeError) -> Pipe {
    let listeners: [TCPListener]
    do throws(PipeError) {
      if let given { listeners = given } else { listeners = [try listen(configuration)] }
    } catch { throw configuration.place.map { .at($0, error) } ?? error }
    let local = (try? addresses?.read()) ?? LocalAddresses([])
    let check = LoopCheck(listening: listeners.flatMap(\.places), local: local)
    nextID += 1
    do throws(KernelError) {
      let target = try Target(host: configuration.host, port: configuration.remotePort, lookUp: lookUp) {
        check.loop(in: Self.comparable($0))
      }
      let pipe = Pipe(id: nextID, configuration, listeners: listeners, target: target, log: log)
      let mailboxes = mailboxes
      try target.start { for mailbox in mailboxes { mailbox.post(.resolved(pipe)) } }
      return pipe
    } catch { throw .kernel(error) }
  }

  /// Endpoints whose addresses alone say whether they are this host's: a link-local one is so on one interface only.
  private static func comparable(_ targets: [ZonedEndpoint]) -> [Endpoint] {
    targets.filter { $0.zone == 0 || $0.isOfThisHost }.map(\.endpoint)
  }

  private func listen(_ configuration: PipeConfiguration) throws(PipeError) -> TCPListener {
    let endpoint = configuration.listening
    let zone = configuration.bindInterface.map(NetworkZone.index)
    guard let zone = zone ?? 0 else {
      throw .noInterface(endpoint, configuration.bindInterface ?? "")
    }
    do throws(Errno) { return try TCPListener(on: endpoint, zone: zone) } catch {
      let holder = pipes.first { $0.listeners.contains { $0.local.port == endpoint.port } }
      if let holder, error == .addressInUse { throw .ours(endpoint, name: holder.name) }
      throw PipeError(listeningOn: endpoint, error)
    }
  }

  /// Looks at pipes whose names were slow, or could not be looked up at first, once they have addresses: has those
  /// refuse their clients that lead round to each other.
  func refuseLateRings() {
    var (known, unknown): ([Pipe], [Pipe]) = ([], [])
    for pipe in late { if pipe.target.known.isEmpty { unknown.append(pipe) } else { known.append(pipe) } }
    late = unknown
    while !known.isEmpty {
      let open = pipes.filter { !$0.target.isRefused }
      guard let names = rings(among: open.map { ($0, $0.configuration) }) else { return }
      let isInRing = { (pipe: Pipe) in names.contains(pipe.configuration.placedName) }
      let closing = known.filter(isInRing)
      known.removeAll(where: isInRing)
      // No pipe of the ring is late when a later answer for one has made it.
      for pipe in closing.isEmpty ? open.filter(isInRing) : closing {
        pipe.target.refuse("it leads back to this pipe")
        pipe.warn("loop", "\(PipeError.ring(names)) Clients are refused.")
      }
    }
  }

  private func rings(among all: [(pipe: Pipe, configuration: PipeConfiguration)]) -> [String]? {
    guard all.count > 1 else { return nil }
    let ways = all.map { pipe, configuration in
      Ring.Way(
        name: configuration.placedName, places: pipe.listeners.flatMap(\.places),
        targets: Self.comparable(pipe.target.known))
    }
    return Ring.find(in: ways, local: (try? addresses?.read()) ?? LocalAddresses([]))
  }

  private func refuseLoops(_ pipes: some Sequence<Pipe>, within patience: Duration) throws(PipeError) {
    let deadline = Instant.now + patience
    for pipe in pipes {
      if let endpoint = pipe.target.firstLoop(until: deadline) {
        throw .loop(name: pipe.configuration.placedName, endpoint)
      }
    }
  }
}
