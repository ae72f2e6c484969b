import Lab
import SystemRuntime
import Testing

@testable import Tstat

/// State files: what is written is read back, and whatever else is read is safe.
@Suite struct SendProgressTests {
  private static let logs = [
    LogFile(kind: .tcp, size: 100, modified: FileTime(seconds: 1), inode: 7),
    LogFile(kind: .udp, isCompressed: true, size: 200, modified: FileTime(seconds: 1), inode: 8),
  ]
  private static let work = SendProgress.Fingerprint(logs: logs, settings: "threshold 10\nformat 0.6.8 \\ é")
  private static let text = """
    tstat_send progress 1
    file log_tcp_complete 7 100 1000000000
    file log_udp_complete.gz 8 200 1000000000
    settings threshold 10\\nformat 0.6.8 \\\\ é
    acknowledged 17
    check a85bb17cf1fcf741

    """

  @Test func `the file is as recorded, and is read back`() {
    #expect(SendProgress(Self.work, acknowledged: 17).text == Self.text)
    #expect(SendProgress.stored(in: Array(Self.text.utf8), for: Self.work) == .acknowledged(17))
  }

  @Test(arguments: [
    (of: [LogFile](), settings: "threshold 10\nformat 0.6.8 \\ é"), (of: logs, settings: "threshold 11"),
    (of: [logs[0]], settings: "threshold 10\nformat 0.6.8 \\ é"),
    (of: logs, settings: "threshold 10\\nformat 0.6.8 \\ é"),
    (
      of: [LogFile(kind: .tcp, size: 101, modified: FileTime(seconds: 1), inode: 7), logs[1]],
      settings: "threshold 10\nformat 0.6.8 \\ é"
    ),
    (
      of: [LogFile(kind: .tcp, size: 100, modified: FileTime(seconds: 2), inode: 7), logs[1]],
      settings: "threshold 10\nformat 0.6.8 \\ é"
    ),
    (
      of: [LogFile(kind: .tcp, size: 100, modified: FileTime(seconds: 1), inode: 9), logs[1]],
      settings: "threshold 10\nformat 0.6.8 \\ é"
    ),
  ])
  func `of other logs or settings nothing is sent yet`(logs: [LogFile], settings: String) {
    let other = SendProgress.Fingerprint(logs: logs, settings: settings)
    let stored = SendProgress.stored(in: Array(Self.text.utf8), for: other)
    #expect(
      stored == .unusable(reason: "the logs or the settings have changed since it was written"))
    #expect(stored.count == 0)
  }

  @Test func `what was refused is read back, and nothing else that looks like it`() {
    func stored(_ line: String) -> SendProgress.Stored {
      let text = SendProgress(Self.work, acknowledged: 17, refused: [0, 3, 16]).text
      #expect(text.contains("\nacknowledged 17 without 0 3 16\n"))
      return SendProgress.stored(
        in: Array(text.replacing("acknowledged 17 without 0 3 16", with: line).utf8), for: Self.work)
    }
    #expect(stored("acknowledged 17 without 0 3 16") == .acknowledged(17, refused: [0, 3, 16]))
    for line in ["acknowledged 17 without 0 3 15", "acknowledged 17 without"] {
      #expect(stored(line).count == 0)
    }
  }

  @Test func `every prefix is damaged`() {
    for length in 0..<Self.text.utf8.count {
      let stored = SendProgress.stored(in: Array(Self.text.utf8.prefix(length)), for: Self.work)
      guard case .unusable = stored else {
        Issue.record("\(length) bytes give \(stored)")
        continue
      }
    }
  }

  @Test func `a mutation is no progress`() {
    var random = SplitMix64(seed: 1)
    for _ in 0..<20_000 {
      var bytes = Array(Self.text.utf8)
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      let isSame = bytes == Array(Self.text.utf8)
      #expect(SendProgress.stored(in: bytes, for: Self.work).count == (isSame ? 17 : 0))
    }
  }

  @Test(arguments: [
    "", "processed", "tstat_send progress 2\nend\n", "tstat_send progress 1\nacknowledged 5\nend\n",
    SendProgress(work, acknowledged: -1).text, text.replacing("17", with: "18"), text + "\n", text + "end\n",
    text + "\0",
  ])
  func `foreign files are no progress`(text: String) {
    #expect(SendProgress.stored(in: Array(text.utf8), for: Self.work).count == 0)
  }

  @Test func `a huge file, and one that is no text, are no progress`() {
    let huge = [UInt8](repeating: 0x61, count: SendProgress.mostBytes + 1)
    #expect(SendProgress.stored(in: huge, for: Self.work).count == 0)
    #expect(SendProgress.stored(in: [0xff, 0xfe], for: Self.work).count == 0)
  }
}
