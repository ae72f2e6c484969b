import Notifications
import Program
import SystemPackage
import SystemRuntime

/// The mail configuration: the file that was named, or the first of the usual ones that is there.
struct MailFile {
  /// Why it cannot be used. The description ends with what to do.
  enum Failure: Error, CustomStringConvertible {
    /// It cannot be read.
    case unreadable(KernelError)
    /// It is wrong.
    case wrong(MailConfigurationError)

    var description: String {
      switch self {
      case .unreadable(let error): "\(error)"
      case .wrong(let error): "\(error)"
      }
    }
  }

  /// pySendMail's own place, beside the monitor, and that of the system.
  static let places = ["pySendMail/sendMailConfig.json", "/etc/bwmon/sendMailConfig.json"]

  private let named: String?
  private let places: [String]

  /// Reads the file `named`, or without one the first of `places`.
  init(named: String?, places: [String] = places) {
    self.named = named
    self.places = places
  }

  /// Where it may be, for people.
  var description: String { named ?? places.joined(separator: " or ") }

  /// Returns the configuration; nil where none was named and none is there. A usual file that this user may not read is
  /// passed over, and `warn` is called.
  func read(_ warn: (String) -> Void) throws(Failure) -> MailConfiguration? {
    for path in named.map({ [$0] }) ?? places {
      let bytes: [UInt8]
      do throws(KernelError) {
        bytes = try WholeFile.read(path, limit: MailConfiguration.maximumSize)
      } catch {
        guard named == nil, case .unreadable(_, let reason) = error else { throw .unreadable(error) }
        switch reason {
        case .noSuchFileOrDirectory, .notDirectory: continue
        case .permissionDenied:
          warn("\(error) No mail is sent with it.")
          continue
        default: throw .unreadable(error)
        }
      }
      do throws(MailConfigurationError) {
        return try MailConfiguration(name: path, bytes: bytes)
      } catch { throw .wrong(error) }
    }
    return nil
  }
}
