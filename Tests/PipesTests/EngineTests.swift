import Kernel
import Lab
import Model
import Synchronization
import SystemPackage
import Testing

@testable import Pipes

/// The engine with real sockets and several threads, for what tables cannot show: races.
@Suite(.serialized, .timeLimit(.minutes(2))) struct EngineTests {
  private static let message = [UInt8](repeating: 7, count: 10_000)

  /// A socket that waits.
  private struct Stream: ~Copyable {
    let socket: TCPSocket
    let poller: Poller

    init(_ socket: consuming TCPSocket) throws {
      let poller = try Poller()
      try poller.add(socket, token: 1)
      self.poller = poller
      self.socket = socket
    }

    private func wait() {
      var events = PollEvents(capacity: 1)
      poller.wait(into: &events, timeout: .seconds(5))
    }

    func send(_ bytes: [UInt8]) -> Bool {
      var start = 0
      while start < bytes.count {
        switch socket.send(bytes, start..<bytes.count) {
        case .moved(let count): start += count
        case .wouldBlock: wait()
        case .ended: return false
        case .failed: return false
        }
      }
      return true
    }

    func receive(_ count: Int) -> Int {
      var buffer = [UInt8](repeating: 0, count: 65536)
      var total = 0
      while total < count {
        switch socket.receive(into: &buffer, atMost: min(buffer.count, count - total)) {
        case .moved(let more): total += more
        case .wouldBlock: wait()
        case .ended: return total
        case .failed: return total
        }
      }
      return total
    }
  }

  private static func loopback(_ port: UInt16) -> Endpoint {
    Endpoint(address: IPAddress(v4: 0x7f00_0001), port: port)
  }

  /// Answers each connection with as much as it sends, until the listener has no owner.
  private func echo(_ listener: TCPListener, _ stopped: Counter) throws {
    try WorkerThread.start("echo") {
      guard let poller = try? Poller(), (try? poller.add(listener, token: 1)) != nil else { return }
      var events = PollEvents(capacity: 1)
      while stopped.value.load(ordering: .relaxed) == 0 {
        poller.wait(into: &events, timeout: .milliseconds(20))
        guard let accepted = try? listener.accept(), let stream = try? Stream(accepted.intoSocket()) else {
          continue
        }
        if stream.receive(Self.message.count) == Self.message.count { _ = stream.send(Self.message) }
        _ = stream.receive(1)
      }
    }
  }

  private final class Counter: Sendable {
    let value = Atomic<Int>(0)
  }

  @Test(arguments: [1, 3])
  func `counts are exact while pipes are reloaded, limited and read under load`(threads: Int) async throws {
    let stopped = Counter()
    let target = try TCPListener(on: Self.loopback(0))
    for _ in 0..<4 { try echo(target, stopped) }
    // Ports that are free now, for the pipes to listen on: at an address from which nothing connects, so that they stay so.
    let place = IPAddress(v4: 0x7f00_004d)
    let ports = try (0..<3).map { _ in try TCPListener(on: Endpoint(address: place, port: 0)).local.port }
    var configurations = ports.map { port in
      var pipe = Configuration(
        port: port, host: "127.0.0.1", remotePort: target.local.port, bind: place)
      pipe.listsClients = port == ports[0]
      return pipe
    }
    let meter = try PipeMeter(Array(configurations.prefix(2)), threads: threads) { _ in }
    let (answered, running) = (Counter(), Counter())
    for client in 0..<6 {
      running.value.wrappingAdd(1, ordering: .relaxed)
      try WorkerThread.start("client") {
        for _ in 0..<20 {
          guard let socket = try? TCPSocket(connectingTo: Endpoint(address: place, port: ports[client % 2])),
            let stream = try? Stream(socket),
            stream.send(Self.message)
          else { continue }
          if stream.receive(Self.message.count) == Self.message.count {
            answered.value.wrappingAdd(1, ordering: .relaxed)
          }
        }
        running.value.wrappingSubtract(1, ordering: .releasing)
      }
    }
    var total = Usage.zero
    var round = 0
    while running.value.load(ordering: .acquiring) > 0 {
      round += 1
      configurations[0].sentLimit = round % 3 == 0 ? .kibibytesPerSecond(20_000) : nil
      try meter.reload(Array(configurations.prefix(round % 2 == 0 ? 2 : 3)))
      for reading in meter.readings(until: .now).readings { total += reading.usage }
      #expect(meter.report(at: Timestamp(seconds: 0)).rows.count >= 2)
      try await Task.sleep(for: .milliseconds(10))
    }
    meter.drain()
    while !meter.isDrained { try await Task.sleep(for: .milliseconds(5)) }
    meter.stop()
    for reading in meter.readings(until: .now).readings { total += reading.usage }
    stopped.value.store(1, ordering: .relaxed)
    let expected = UInt64(120 * Self.message.count)
    #expect(answered.value.load(ordering: .relaxed) == 120)
    #expect(total == Usage(received: expected, sent: expected))
    let rows = meter.report(at: Timestamp(seconds: 0)).rows
    let clients = rows.filter { if case .client = $0.subject { true } else { false } }
    #expect(
      clients.reduce(Usage.zero) { $0 + $1.total } == rows.first { $0.name == configurations[0].name }?.total)
  }

  /// Whether a timer runs, of the open sockets that have `port` at this end, or at the other (proc(5)).
  private static func keepAliveTimers(of port: UInt16, isLocal: Bool) -> [Bool] {
    ((try? WholeFile.read("/proc/self/net/tcp", limit: 1 << 26)) ?? []).split(separator: UInt8(ascii: "\n"))
      .dropFirst().compactMap {
        line in
        let fields = String(decoding: line, as: UTF8.self).split(separator: " ")
        let end = fields[isLocal ? 1 : 2].split(separator: ":")[1]
        guard UInt16(end, radix: 16) == port, fields[3] == "01" else { return nil }
        return fields[5].hasPrefix("02:")
      }
  }

  @Test(arguments: [true, false])
  func `a connection that has lived for a while is kept alive at both ends, a young one is not`(
    isOld: Bool
  ) async throws {
    let stopped = Counter()
    let target = try TCPListener(on: Self.loopback(0))
    try echo(target, stopped)
    let pipe = Configuration(
      port: try TCPListener(on: Self.loopback(0)).local.port, host: "127.0.0.1",
      remotePort: target.local.port, bind: IPAddress(v4: 0x7f00_0001))
    let engine = try PipeEngine(threads: 1, youth: isOld ? .milliseconds(20) : .seconds(3600)) { _ in }
    try engine.apply([pipe])
    let client = try Stream(try TCPSocket(connectingTo: Self.loopback(pipe.port)))
    let (isSent, received) = (client.send(Self.message), client.receive(Self.message.count))
    #expect(isSent && received == Self.message.count)
    if isOld {
      _ = try await eventually("a timer") {
        Self.keepAliveTimers(of: pipe.port, isLocal: true) == [true] ? true : nil
      }
    }
    #expect(Self.keepAliveTimers(of: pipe.port, isLocal: true) == [isOld])
    #expect(Self.keepAliveTimers(of: target.local.port, isLocal: false) == [isOld])
    engine.stop()
    stopped.value.store(1, ordering: .relaxed)
  }

  @Test func `a lower limit holds at once for what is open`() async throws {
    let target = try TCPListener(on: Self.loopback(0))
    let ended = Counter()
    try WorkerThread.start("source") {
      defer { ended.value.store(1, ordering: .relaxed) }
      guard let poller = try? Poller(), (try? poller.add(target, token: 1)) != nil else { return }
      var events = PollEvents(capacity: 1)
      poller.wait(into: &events, timeout: .seconds(5))
      guard let accepted = try? target.accept(), let stream = try? Stream(accepted.intoSocket()) else {
        return
      }
      while stream.send(Self.message) {}
    }
    var pipe = Configuration(
      port: try TCPListener(on: Self.loopback(0)).local.port, host: "127.0.0.1",
      remotePort: target.local.port, bind: IPAddress(v4: 0x7f00_0001))
    // A grant under it is the largest there is, 64 MiB.
    pipe.sentLimit = .bytesPerSecond(1e12)
    let meter = try PipeMeter([pipe], threads: 1) { _ in }
    let client = try Stream(try TCPSocket(connectingTo: Self.loopback(pipe.port)))
    #expect(client.receive(8 << 20) == 8 << 20)
    pipe.sentLimit = .bytesPerSecond(1000)
    try meter.reload([pipe])
    // What was under way when the limit changed.
    try await Task.sleep(for: .milliseconds(50))
    _ = meter.readings(until: .now)
    let end = ContinuousClock.now + .milliseconds(500)
    var buffer = [UInt8](repeating: 0, count: 65536)
    while ContinuousClock.now < end { _ = client.socket.receive(into: &buffer, atMost: buffer.count) }
    let sent = meter.readings(until: .now).readings.reduce(0) { $0 + $1.usage.sent }
    // Beyond the limit only what a pipe or the buffer held.
    #expect(sent < 2 << 20)
    meter.stop()
    while ended.value.load(ordering: .relaxed) == 0 { try await Task.sleep(for: .milliseconds(5)) }
  }

  /// Clients reset while they are accepted, given away, waited for and dialed for, and while their pipe goes.
  @Test(arguments: [1, 3])
  func `clients that vanish at once, and pipes that go, leave nothing open`(threads: Int) async throws {
    let target = try TCPListener(on: Self.loopback(0))
    let stopped = Counter()
    try echo(target, stopped)
    let place = IPAddress(v4: 0x7f00_004d)
    let ports = try (0..<2).map { _ in try TCPListener(on: Endpoint(address: place, port: 0)).local.port }
    let pipes = ports.map {
      Configuration(port: $0, host: "127.0.0.1", remotePort: target.local.port, bind: place)
    }
    let meter = try PipeMeter(pipes, threads: threads) { _ in }
    let running = Counter()
    for client in 0..<4 {
      running.value.wrappingAdd(1, ordering: .relaxed)
      try WorkerThread.start("client") {
        for round in 0..<200 {
          guard let socket = try? TCPSocket(connectingTo: Endpoint(address: place, port: ports[client % 2]))
          else { continue }
          if round % 3 > 0 { _ = socket.send(Self.message, 0..<(round % 3)) }
          socket.resetOnClose()
        }
        running.value.wrappingSubtract(1, ordering: .releasing)
      }
    }
    var round = 0
    while running.value.load(ordering: .acquiring) > 0 {
      round += 1
      try meter.reload(Array(pipes.prefix(1 + round % 2)))
      await Task.yield()
    }
    try meter.reload(pipes)
    var accepted: UInt64 = 0
    _ = try await eventually("nothing open") {
      var open = 0
      accepted = 0
      for case .pipe(let connections, let all, _) in meter.report(at: Timestamp(seconds: 0)).rows.map(
        \.subject)
      {
        open += connections
        accepted += all
      }
      return open == 0 ? true : nil
    }
    #expect(accepted > 0)
    meter.drain()
    _ = try await eventually("the drain's end") { meter.isDrained ? true : nil }
    meter.stop()
    stopped.value.store(1, ordering: .relaxed)
  }

  @Test(arguments: [1, 4096, 65_536, 1 << 20])
  func `a pipe knows how much it holds`(asked: Int) throws {
    // No more than the kernel's default where it allows no more, and never less than a page.
    let capacity = try SplicePipe(capacity: asked).capacity
    #expect(capacity % 4096 == 0 && (4096...max(65_536, asked)).contains(capacity))
  }

  @Test func `a listener for both families takes connections at two places`() throws {
    let both = try TCPListener(on: Endpoint(address: .anyV6, port: 0))
    #expect(both.places.map(\.address).last == .anyV4)
    #expect(Set(both.places.map(\.port)) == [both.local.port])
    let one = try TCPListener(on: Self.loopback(0))
    #expect(one.places == [one.local])
  }

  @Test func `a socket that was given for another port is used, and said`() throws {
    let given = try TCPListener(on: Self.loopback(0))
    let log = Mutex<[String]>([])
    var pipe = Configuration(port: given.local.port, host: "127.0.0.1", remotePort: 9)
    try PipeMeter([pipe], threads: 1, activated: [given]) { warning in
      log.withLock { $0.append(warning.code) }
    }.stop()
    #expect(log.withLock { $0 }.isEmpty)
    pipe.port = pipe.port == 9999 ? 9998 : 9999
    try PipeMeter([pipe], threads: 1, activated: [given]) { warning in
      log.withLock { $0.append(warning.code) }
    }.stop()
    #expect(log.withLock { $0 } == ["other_port"])
  }

  @Test func `two pipes in one place, or a port that is taken, change nothing`() throws {
    let target = try TCPListener(on: Self.loopback(0))
    let taken = try TCPListener(on: Self.loopback(0))
    let free = try TCPListener(on: Self.loopback(0)).local.port
    let pipe = Configuration(
      port: free, host: "127.0.0.1", remotePort: target.local.port, bind: IPAddress(v4: 0x7f00_0001))
    var other = pipe
    other.remotePort = 9
    let meter = try PipeMeter([pipe], threads: 1) { _ in }
    #expect(throws: PipeError.duplicate(pipe.name, other.name)) { try meter.reload([pipe, other]) }
    other.port = taken.local.port
    #expect(throws: PipeError.inUse(taken.local)) { try meter.reload([other]) }
    #expect(meter.report(at: Timestamp(seconds: 0)).rows.map(\.name) == [pipe.name])
    var loop = pipe
    loop.remotePort = free
    #expect(throws: PipeError.loop(name: loop.name, Self.loopback(free))) { try meter.reload([loop]) }
    #expect(meter.report(at: Timestamp(seconds: 0)).rows.map(\.name) == [pipe.name])
    other = pipe
    other.bind = .anyV4
    #expect(throws: PipeError.ours(other.listening, name: pipe.name)) { try meter.reload([other]) }
    // Another target in the same place takes the listener over.
    other = pipe
    other.remotePort = 9
    try meter.reload([other])
    #expect(meter.report(at: Timestamp(seconds: 0)).rows.map(\.name) == [other.name])
    meter.stop()
  }
}
