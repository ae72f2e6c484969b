import Model
import SystemRuntime
import Testing

@testable import Pipes

@Suite struct DialSpeechTests {
  /// Settings that say when the target hears something.
  enum Setting: Sendable { case limitIn, limitOut, sendsProxy, acceptsProxy }

  @Test(
    arguments: [
      (Readiness.readable, [], true),
      ([.readable, .peerFinished], [], true),
      // Its end alone is something to say as well.
      (.peerFinished, [], true),
      // A client that waits for the target's greeting.
      ([], [], false),
      (.writable, [], false),
      (.urgent, [], false),
      // Bytes that may have to wait.
      (.readable, [Setting.limitIn], false),
      (.readable, [.limitOut], true),
      // Our header is there in any case; the client's is not for the target.
      ([], [.sendsProxy], true),
      ([], [.sendsProxy, .limitIn], true),
      (.readable, [.acceptsProxy], false),
      (.readable, [.acceptsProxy, .sendsProxy], true),
    ] as [(Readiness, [Setting], Bool)])
  func `the handshake waits for bytes that are there`(early: Readiness, settings: [Setting], waits: Bool) {
    var configuration = PipeConfiguration(port: 1, host: "h", remotePort: 1)
    for setting in settings {
      switch setting {
      case .limitIn: configuration.receivedLimit = .bytesPerSecond(1000)
      case .limitOut: configuration.sentLimit = .bytesPerSecond(1000)
      case .sendsProxy: configuration.sendsProxy = .v2
      case .acceptsProxy: configuration.acceptsProxy = true
      }
    }
    #expect(Dial.speaksAtOnce(early, configuration) == waits)
  }
}
