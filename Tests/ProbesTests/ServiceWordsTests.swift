import Curl
import Testing

@testable import Probes

/// Why a web server did not answer.
@Suite struct ServiceWordsTests {
  @Test(arguments: [
    (
      TransferFailure(.notConnected, "Failed to connect to h port 80 after 7 ms", errno: 111),
      "Connection refused"
    ),
    (TransferFailure(.notConnected, "Couldn't connect"), "Couldn't connect"),
    (TransferFailure(.timedOut, "Operation timed out after 2001 milliseconds"), "no answer in time"),
    (TransferFailure(.malformed, "Received HTTP/0.9 when not allowed"), "Received HTTP/0.9 when not allowed"),
  ])
  func `the words are the same each time`(failure: TransferFailure, words: String) {
    #expect(ServiceProbes.words(of: failure) == words)
  }
}
