import Foundation
import Lab
import Testing

/// runmonitor or runaggregator at work in a namespace, writing JSON lines.
struct Reporter: Sendable {
  /// Its process.
  let process: ChildProcess

  /// Starts the program with its flags, ten reports a second unless said otherwise. Only with `namespaces` does
  /// it look into the other ones of the laboratory, which stand for other hosts elsewhere. Rows of what has ended stay,
  /// so that a test can read them whenever it looks.
  init(
    _ flags: [String] = [], program: String = "runmonitor", interval: String = "0.1",
    in namespace: NetworkNamespace, wrapper: [String] = [], namespaces: Bool = false,
    allRows: Bool = true
  ) throws {
    var flags = flags
    if let way = EachWitness.way, program != "runpipe", !flags.contains("--witness") {
      flags += ["--witness", way]
    }
    process = try namespace.start(
      wrapper + [
        Program.path(program), "--format", "json", "--interval", interval,
      ] + (program == "runpipe" ? [] : [namespaces ? "--namespaces" : "--no-namespaces"])
        + (allRows ? ["--all-rows"] : []) + flags)
  }

  /// Reads the reports of a program that was started otherwise.
  init(process: ChildProcess) { self.process = process }

  /// All reports so far.
  func reports() throws -> [Report] { try process.output.lines.compactMap { try Report(line: $0) } }

  /// Waits for a report with which `isWanted` agrees; an early end of the program ends the wait.
  @discardableResult
  func report(
    _ awaited: String, within limit: Duration = patience, where isWanted: (Report) -> Bool = { _ in true }
  ) async throws -> Report {
    var next = 0
    return try await eventually(awaited, within: limit, state: { state }) {
      let status = process.status
      let lines = process.output.lines
      while next < lines.count {
        next += 1
        if let report = try Report(line: lines[next - 1]), isWanted(report) { return report }
      }
      if let status {
        throw LabError.failed(command: process.command, status: "\(status)", output: state)
      }
      return nil
    }
  }

  /// Waits for a report that starts after this call.
  @discardableResult
  func nextReport() async throws -> Report {
    let seen = try reports().count
    // The one under way may have been measured before.
    return try await eventually("two more reports", state: { state }) {
      let reports = try reports()
      return reports.count > seen + 1 ? reports[seen + 1] : nil
    }
  }

  /// The states of a warning so far, in their order: firing or resolved.
  func warnings(_ code: String) -> [String] {
    process.output.lines.compactMap {
      $0.contains("\"code\":\"\(code)\"")
        ? ($0.contains("\"state\":\"firing\"") ? "firing" : "resolved") : nil
    }
  }

  /// The process that measures for runaggregator, and its parent, which starts it. Throws where there is none yet.
  func sensor() throws -> (pid: Int32, launcher: Int32) {
    for launcher in Self.children(of: process.pid) where Self.name(of: launcher) == "runmonitor" {
      if let pid = Self.children(of: launcher).first { return (pid, launcher) }
    }
    throw LabError.failed(command: process.command, status: "without a sensor", output: state)
  }

  private static func children(of pid: Int32) -> [Int32] {
    // One of its threads started them.
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? []
    return threads.flatMap { thread in
      read("/proc/\(pid)/task/\(thread)/children").split(separator: " ").compactMap { Int32($0) }
    }
  }

  private static func name(of pid: Int32) -> String {
    read("/proc/\(pid)/comm").trimmingCharacters(in: .newlines)
  }

  private static func read(_ path: String) -> String {
    String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
  }

  /// Ends it by SIGTERM, which must end it cleanly.
  func stop() async throws {
    let status = try await process.stop()
    #expect(status == .exited(0), "\(process.errors.text)")
  }

  /// What it said last, for a failing test.
  var state: String {
    "\(process.output.lines.suffix(2).joined(separator: "\n"))\n\(process.errors.text)"
  }
}

/// What is true of the machine that the tests run on.
enum Machine {
  /// Inside some sandboxes not even root may read all processes.
  static var isSandboxed: Bool {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/1/fd/0")) == nil
  }
}

extension ChildProcess {
  /// What it said on standard error, but for what is true of this machine, as the programs rightly say: it may be a
  /// sandbox, and it may stand still for seconds.
  var complaints: [String] {
    errors.lines.filter { line in
      !(Machine.isSandboxed && line.contains("read what processes have open"))
        && !line.contains("or this host is overloaded")
        && !line.contains("the connection table is read again, after")
    }
  }
}
