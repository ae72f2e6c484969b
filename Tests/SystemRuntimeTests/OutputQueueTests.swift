import Glibc
import Testing

@testable import SystemRuntime

/// Text on its way to a reader that is slow, or gone.
@Suite(.timeLimit(.minutes(1))) struct OutputQueueTests {
  /// A pipe that is read when the test wants.
  private struct Pipe: ~Copyable {
    let reader: CInt
    let writer: CInt

    init() throws {
      var ends: [CInt] = [0, 0]
      let error = unsafe pipe(&ends)
      // Programs that other tests start have no part in it.
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      (reader, writer) = (ends[0], ends[1])
      // The writer waits, as standard output does.
      let failure = fcntl(reader, F_SETFL, O_NONBLOCK)
      try #require(error == 0 && failure == 0)
    }

    deinit {
      close(reader)
      close(writer)
    }

    /// What waits to be read.
    func read() -> [UInt8] {
      var (text, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 65_536))
      while case let count = unsafe Glibc.read(reader, &buffer, buffer.count), count > 0 {
        text += buffer[..<count]
      }
      return text
    }
  }

  private func text(_ letter: UInt8, _ count: Int) -> [UInt8] { [UInt8](repeating: letter, count: count) }

  @Test func `what nobody reads waits, up to a bound, and the rest is left out whole and counted`() throws {
    let pipe = try Pipe()
    var queue = OutputQueue(to: pipe.writer)
    #expect(try queue.write(text(1, 3 << 20)) == .waiting)
    #expect(try queue.write(text(2, 1 << 20)) == .waiting)
    #expect(queue.skipped == 0)
    #expect(try queue.write(text(3, 1 << 20)) == .waiting)
    #expect(queue.skipped == 1)
    // A shorter one still has room.
    #expect(try queue.write(text(4, 10)) == .waiting)
    var taken: [UInt8] = []
    var outcome = WriteOutcome.waiting
    for _ in 0..<10_000 where outcome == .waiting {
      taken += pipe.read()
      outcome = try queue.flush()
    }
    taken += pipe.read()
    #expect(outcome == .written && queue.skipped == 1)
    #expect(taken == text(1, 3 << 20) + text(2, 1 << 20) + text(4, 10))
  }

  @Test func `a text alone may be longer than the bound`() throws {
    let pipe = try Pipe()
    var queue = OutputQueue(to: pipe.writer)
    #expect(try queue.write(text(1, OutputQueue.capacity + 1)) == .waiting)
    #expect(queue.skipped == 0)
  }

  @Test func `the end does not wait for ever`() throws {
    let pipe = try Pipe()
    var queue = OutputQueue(to: pipe.writer)
    queue.add(text(1, 1 << 20))
    try queue.finish(within: .milliseconds(1))
    #expect(pipe.read().count < 1 << 20)
  }

  @Test func `a reader that has gone is no error, neither for a text nor for messages`() throws {
    let ignored = signal(SIGPIPE, SIG_IGN)
    defer { _ = signal(SIGPIPE, ignored) }
    var ends: [CInt] = [0, 0]
    try #require(unsafe pipe(&ends) == 0)
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    close(ends[0])
    defer { close(ends[1]) }
    var queue = OutputQueue(to: ends[1])
    #expect(try queue.write(text(1, 10)) == .closed)
    var messages = MessageQueue(to: ends[1])
    for _ in 0..<3 { messages.write("nobody reads it\n") }
  }

  @Test func `a file takes all at once`() throws {
    let file = unsafe open("/dev/null", O_WRONLY | O_CLOEXEC)
    defer { close(file) }
    var queue = OutputQueue(to: file)
    #expect(try queue.write(text(1, 1 << 20)) == .written)
  }

  @Test func `messages that a reader has no room for are lost and counted, and none is cut`() throws {
    let pipe = try Pipe()
    var messages = MessageQueue(to: pipe.writer)
    let long = String(repeating: "x", count: 200_000) + "\n"
    messages.write(long)
    for _ in 0..<3 { messages.write("lost\n") }
    var taken = ""
    while taken.utf8.count < long.utf8.count {
      // What was begun goes on with the next message, which is lost itself as long as that has no room.
      taken += String(decoding: pipe.read(), as: UTF8.self)
      messages.write("lost\n")
    }
    taken += String(decoding: pipe.read(), as: UTF8.self)
    #expect(taken.hasPrefix(long) && !taken.dropFirst(long.count).contains("xx"))
    messages.write("last\n")
    taken += String(decoding: pipe.read(), as: UTF8.self)
    let lines = taken.dropFirst(long.count).split(separator: "\n")
    let gap = try #require(lines.first?.split(separator: " "))
    let count = try #require(gap.first.flatMap { Int($0.dropFirst()) })
    #expect(
      count >= 3 && lines.first?.hasSuffix("messages lost here: standard error was not read in time)") == true
    )
    #expect(lines.dropFirst().dropLast().allSatisfy { $0 == "lost" } && lines.last == "last")
  }
}
