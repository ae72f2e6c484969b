import Foundation
import Synchronization

/// A folder of its own for each test, removed with its last owner.
public final class ScratchFolder: Sendable {
  /// Its absolute path.
  public let path: String

  private static let counter = Atomic<Int>(0)

  /// Makes an empty folder, readable by everyone so that programs under other users can use it.
  public init() throws {
    let number = Self.counter.wrappingAdd(1, ordering: .relaxed).newValue
    path = "/tmp/bwmon-lab.\(ProcessInfo.processInfo.processIdentifier).\(number)"
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file into the folder and returns its path.
  @discardableResult
  public func write(_ text: String, to name: String, permissions: Int = 0o644) throws -> String {
    let file = "\(path)/\(name)"
    try Data(text.utf8).write(to: URL(filePath: file))
    try FileManager.default.setAttributes([.posixPermissions: permissions], ofItemAtPath: file)
    return file
  }

  /// Writes a program into the folder, for a shell or another interpreter, and returns its path.
  ///
  /// It is a copy, for the reason that `copy` gives.
  public func write(program text: String, to name: String) async throws -> String {
    try await copy(try write(text, to: "\(name).text", permissions: 0o755), as: name)
  }

  /// Returns the text of a file of the folder, empty where there is none.
  public func read(_ name: String) -> String {
    String(decoding: FileManager.default.contents(atPath: "\(path)/\(name)") ?? Data(), as: UTF8.self)
  }

  /// Copies a file into the folder under another name, which may be a hostile one, and returns its path.
  ///
  /// By cp(1): a descriptor of ours that is open for writing, inherited by a program that another test starts
  /// just then, would make the copy "text file busy" for a moment.
  public func copy(_ source: String, as name: String) async throws -> String {
    let file = "\(path)/\(name)"
    try await run(["cp", source, file])
    return file
  }
}
