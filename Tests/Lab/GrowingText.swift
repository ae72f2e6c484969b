import Foundation
import Synchronization

/// The lines that a program has written to a file so far.
public final class GrowingText: Sendable {
  private struct State {
    var file: FileHandle
    var lines = [String]()
    var rest = Data()
  }

  private let state: Mutex<State>

  init(path: String) throws {
    state = Mutex(State(file: try FileHandle(forReadingFrom: URL(filePath: path))))
  }

  /// All whole lines until now, without their line ends. Invalid UTF-8 becomes U+FFFD.
  public var lines: [String] {
    state.withLock { state in
      state.rest += (try? state.file.readToEnd()) ?? Data()
      // One copy of what is left for all lines: a program may write megabytes at once.
      var start = state.rest.startIndex
      while let end = state.rest[start...].firstIndex(of: 10) {
        state.lines.append(String(decoding: state.rest[start..<end], as: UTF8.self))
        start = end + 1
      }
      if start > state.rest.startIndex { state.rest = Data(state.rest[start...]) }
      return state.lines
    }
  }

  /// Everything until now, an unfinished last line included.
  public var text: String {
    let lines = lines
    let rest = state.withLock { String(decoding: $0.rest, as: UTF8.self) }
    return lines.map { $0 + "\n" }.joined() + rest
  }

  /// Waits for a line for which `match` has an answer and returns that.
  public func first<Answer>(
    _ awaited: @autoclosure () -> String, from start: Int = 0, within limit: Duration = patience,
    where match: (String) throws -> Answer?
  ) async throws -> Answer {
    var next = start
    return try await eventually(awaited(), within: limit, state: { lines.suffix(5).joined(separator: "\n") })
    {
      let lines = lines
      while next < lines.count {
        next += 1
        if let answer = try match(lines[next - 1]) { return answer }
      }
      return nil
    }
  }
}
