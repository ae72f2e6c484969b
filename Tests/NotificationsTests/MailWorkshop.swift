import Foundation
import Lab
import Model
import Synchronization
import SystemRuntime

@testable import Notifications

/// A folder for the mails of one test that wait, and services that send from it.
final class MailWorkshop: Sendable {
  /// The codes of warnings.
  let lines = Lines()

  private let scratch: ScratchFolder
  private let owned = OwnedFolders()

  init() throws { scratch = try ScratchFolder() }

  /// Where the mails wait.
  var folder: String { "\(scratch.path)/spool" }

  /// The names of their files.
  var files: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
  }

  func configuration(_ server: TestServer) throws -> MailConfiguration {
    let text = #"""
      {"mail": {"from": "bwmon@example.org", "to": "root@example.org", "smtp": {"server": "localhost",
       "port": \#(server.port), "tls": false, "cafile": "\#(server.certificate)"}}}
      """#
    return try MailConfiguration(name: "mail.json", bytes: Array(text.utf8))
  }

  /// The folder, which two services of one test share as if the first had been killed.
  func taken(_ path: String) -> @Sendable () -> OwnFolder? {
    { [owned] in owned.take(path) }
  }

  /// A folder that was taken, and removed with the one above it.
  func removedFolder() throws -> String {
    let path = "\(scratch.path)/gone/spool"
    _ = owned.take(path)
    try FileManager.default.removeItem(atPath: "\(scratch.path)/gone")
    return path
  }

  func configurations(_ configuration: MailConfiguration) -> MailConfigurations {
    var configurations = MailConfigurations()
    for stream in ["net", "a", "b", "c"] {
      configurations.add(configuration, file: "mail.json", section: stream)
    }
    return configurations
  }

  func service(
    _ server: TestServer, pause: Duration = .milliseconds(1), in folder: String? = nil,
    hours: Int64 = 0
  ) throws -> MailService {
    var service = MailService(
      configurations(try configuration(server)), folder: taken(folder ?? self.folder),
      host: "gate",
      now: { Timestamp(seconds: 1_764_430_000 + 3600 * hours, utcOffset: 3600) },
      warn: { [lines] in lines.append($0.code) })
    service.pauses.first = pause
    service.pauses.longest = pause
    return service
  }
}

/// Folders that the services of a test have taken.
private final class OwnedFolders: Sendable {
  private let folders = Mutex<[String: OwnFolder]>([:])

  func take(_ path: String) -> OwnFolder? {
    folders.withLock { folders in
      folders[path] = folders[path] ?? (try? OwnFolder(path))
      return folders[path]
    }
  }
}
