import Lab
import Model
import Synchronization
import SystemRuntime
import SystemPackage
import Testing

@testable import Pipes

/// The engine with real sockets and several threads, for what tables cannot show: races.
@Suite(.serialized, .timeLimit(.minutes(10))) struct EngineTests {
  @Test(arguments: [1, 3])
  func `counts are exact while pipes are reloaded, limited and read under load`(threads: Int) async throws {
    let stopped = Counter()
    let target = try TCPListener(on: EnginePeer.loopback(0))
    for _ in 0..<4 { try EnginePeer.echo(target, stopped) }
    let place = EnginePeer.place
    let ports = try EnginePeer.freePorts(3)
    var configurations = ports.map { port in
      var pipe = PipeConfiguration(
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
            stream.send(EnginePeer.message)
          else { continue }
          if stream.receive(EnginePeer.message.count) == EnginePeer.message.count {
            answered.value.wrappingAdd(1, ordering: .relaxed)
          }
        }
        running.value.wrappingSubtract(1, ordering: .releasing)
      }
    }
    var total = Usage.zero
    var passed = Usage.zero
    var round = 0
    while running.value.load(ordering: .acquiring) > 0 {
      round += 1
      configurations[0].sentLimit = round % 3 == 0 ? .kibibytesPerSecond(20_000) : nil
      try meter.reload(Array(configurations.prefix(round % 2 == 0 ? 2 : 3)))
      for reading in meter.readings(until: .now).readings { total += reading.usage }
      passed = meter.paths.values.flatMap(\.values).reduce(passed, +)
      #expect(meter.report(at: Timestamp(seconds: 0)).rows.count >= 2)
      try await Task.sleep(for: .milliseconds(10))
    }
    meter.drain()
    try await eventually("all drained") { meter.isDrained ? () : nil }
    meter.stop()
    for reading in meter.readings(until: .now).readings { total += reading.usage }
    passed = meter.paths.values.flatMap(\.values).reduce(passed, +)
    stopped.value.store(1, ordering: .relaxed)
    let expected = UInt64(120 * EnginePeer.message.count)
    #expect(answered.value.load(ordering: .relaxed) == 120)
    #expect(total == Usage(received: expected, sent: expected))
    // A byte passes this host by two sides.
    #expect(passed == total + total.reversed)
    let rows = meter.report(at: Timestamp(seconds: 0)).rows
    let clients = rows.filter { if case .client = $0.subject { true } else { false } }
    #expect(
      clients.reduce(Usage.zero) { $0 + $1.total } == rows.first { $0.name == configurations[0].name }?.total)
  }

  /// Whether a timer runs, of the open sockets that have `end` at this end, or at the other (proc(5)). The kernel may
  /// show a socket twice while others come and go.
  private static func keepAliveTimers(of end: Endpoint, isLocal: Bool) -> Set<Bool> {
    let sockets = EnginePeer.tcpSockets().filter {
      $0[isLocal ? 1 : 2] == EnginePeer.hexadecimal(end) && $0[3] == "01"
    }
    return Set(sockets.map { $0[5].hasPrefix("02:") })
  }

  @Test(arguments: [true, false])
  func `a connection that has lived for a while is kept alive at both ends, a young one is not`(
    isOld: Bool
  ) async throws {
    let stopped = Counter()
    let target = try TCPListener(on: EnginePeer.loopback(0))
    try EnginePeer.echo(target, stopped)
    let pipe = PipeConfiguration(
      port: try EnginePeer.freePorts(1)[0], host: "127.0.0.1", remotePort: target.local.port,
      bind: EnginePeer.place)
    let engine = try PipeEngine(threads: 1, keepAliveAge: isOld ? .milliseconds(20) : .seconds(3600)) { _ in }
    try engine.apply([pipe])
    let client = try Stream(try TCPSocket(connectingTo: pipe.listening))
    let (isSent, received) = (client.send(EnginePeer.message), client.receive(EnginePeer.message.count))
    #expect(isSent && received == EnginePeer.message.count)
    // The retransmission timer runs in its place until the last bytes are acknowledged.
    try await eventually("the right timers at both ends") {
      let ends = [(pipe.listening, true), (target.local, false)]
      return ends.allSatisfy { Self.keepAliveTimers(of: $0, isLocal: $1) == [isOld] } ? () : nil
    }
    engine.stop()
    stopped.value.store(1, ordering: .relaxed)
  }

  @Test func `who has sent much is still sent much, however slowly it reads`() async throws {
    let size = 64 << 20
    let target = try TCPListener(on: EnginePeer.loopback(0))
    let received = Counter()
    try EnginePeer.serveOne(target) { stream in
      received.value.store(stream.receive(size), ordering: .relaxed)
      _ = stream.send([UInt8](repeating: 1, count: size))
    }
    let pipe = PipeConfiguration(
      port: try EnginePeer.freePorts(1)[0], host: "127.0.0.1", remotePort: target.local.port,
      bind: EnginePeer.place)
    let meter = try PipeMeter([pipe], threads: 1) { _ in }
    let client = try Stream(try TCPSocket(connectingTo: pipe.listening))
    let isSent = client.send([UInt8](repeating: 2, count: size))
    #expect(isSent)
    // Nobody reads: all buffers on the way fill, and the pipe has to wait for room.
    var (sent, quietLooks) = (UInt64(0), 0)
    try await eventually("full buffers", state: { "\(sent)" }) {
      let more = meter.readings(until: .now).readings.reduce(0) { $0 + $1.usage.sent }
      sent += more
      quietLooks = sent > 0 && more == 0 ? quietLooks + 1 : 0
      return quietLooks >= 5 ? () : nil
    }
    var (total, buffer) = (0, [UInt8](repeating: 0, count: 1 << 16))
    try await eventually("all of it", state: { "\(total)" }) {
      while case .moved(let count) = client.socket.receive(into: &buffer, atMost: buffer.count) {
        total += count
      }
      return total >= size ? () : nil
    }
    #expect(total == size)
    #expect(received.value.load(ordering: .relaxed) == size)
    meter.stop()
  }

  @Test func `a lower limit holds at once for what is open`() async throws {
    let target = try TCPListener(on: EnginePeer.loopback(0))
    let ended = Counter()
    try EnginePeer.serveOne(target) { stream in
      while stream.send(EnginePeer.message) {}
      ended.value.store(1, ordering: .relaxed)
    }
    var pipe = PipeConfiguration(
      port: try EnginePeer.freePorts(1)[0], host: "127.0.0.1", remotePort: target.local.port,
      bind: EnginePeer.place)
    // A grant under it is the largest there is, 64 MiB.
    pipe.sentLimit = .bytesPerSecond(1e12)
    let meter = try PipeMeter([pipe], threads: 1) { _ in }
    let client = try Stream(try TCPSocket(connectingTo: pipe.listening))
    #expect(client.receive(8 << 20) == 8 << 20)
    pipe.sentLimit = .bytesPerSecond(1000)
    try meter.reload([pipe])
    // What was granted under the old limit would come in large pieces, before the small ones that the new limit makes.
    var buffer = [UInt8](repeating: 0, count: 65536)
    var small = 0
    for wanted in [1, 10] {
      // Bytes are counted after each go, and one was under way.
      _ = meter.readings(until: .now)
      try await eventually("pieces of less than a second's bytes", state: { "\(small)" }) {
        while case .moved(let count) = client.socket.receive(into: &buffer, atMost: buffer.count) {
          small = count < 1000 ? small + 1 : 0
        }
        return small >= wanted ? () : nil
      }
    }
    let sent = meter.readings(until: .now).readings.reduce(0) { $0 + $1.usage.sent }
    // Beyond the limit only what a pipe or the buffer held.
    #expect(sent < 2 << 20)
    meter.stop()
    try await eventually("the source's end") { ended.value.load(ordering: .relaxed) == 0 ? nil : () }
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
    let one = try TCPListener(on: EnginePeer.loopback(0))
    #expect(one.places == [one.local])
  }

  @Test func `a socket that was given for another port is used, and said`() throws {
    let given = try TCPListener(on: EnginePeer.loopback(0))
    let log = Mutex<[String]>([])
    var pipe = PipeConfiguration(port: given.local.port, host: "127.0.0.1", remotePort: 9)
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
    let target = try TCPListener(on: EnginePeer.loopback(0))
    let taken = try TCPListener(on: Endpoint(address: EnginePeer.place, port: 0))
    let free = try EnginePeer.freePorts(1)[0]
    let pipe = PipeConfiguration(
      port: free, host: "127.0.0.1", remotePort: target.local.port, bind: EnginePeer.place)
    var other = pipe
    other.remotePort = 9
    let meter = try PipeMeter([pipe], threads: 1) { _ in }
    #expect(throws: PipeError.duplicate(pipe.name, other.name)) { try meter.reload([pipe, other]) }
    other.port = taken.local.port
    #expect(throws: PipeError.inUse(taken.local)) { try meter.reload([other]) }
    #expect(meter.report(at: Timestamp(seconds: 0)).rows.map(\.name) == [pipe.name])
    var loop = pipe
    (loop.host, loop.remotePort) = ("\(EnginePeer.place)", free)
    #expect(throws: PipeError.loop(name: loop.name, loop.listening)) { try meter.reload([loop]) }
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
