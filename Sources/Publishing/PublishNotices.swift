import Model
import SystemRuntime

/// Says what a person should know of publishing, each once until it is over.
final class PublishNotices {
  /// Why records will never arrive.
  enum Loss {
    case full(String)
    case slowDisk(String)
    case noPlace(String)
    case unreadable(String)
    case refused(String)

    fileprivate var code: String {
      switch self {
      case .full: "publish_dropped"
      case .slowDisk: "publish_not_taken"
      case .noPlace: "publish_not_kept"
      case .unreadable: "publish_unreadable"
      case .refused: "publish_refused"
      }
    }

    fileprivate var text: String {
      switch self {
      case .full(let place):
        "too much waits in \(place) to be published, so the oldest records are dropped, but for those under way: see why they are not taken, or raise spool_size."
      case .slowDisk(let place):
        "records that are to be published are left out, as they come faster than \(place) takes them: use a faster disk there, or a longer --interval."
      case .noPlace(let place):
        "records that are to be published are left out, as \(place) has no room for them: free space there."
      case .unreadable(let place):
        "records that waited in \(place) to be published are left out, as they cannot be read any more: leave that folder to this program."
      case .refused(let why):
        "a record that others were taken before and after is refused twice, and left out: \(why)"
      }
    }
  }

  private let warn: @Sendable (Warning) -> Void
  private var troubles: Set<RecordFailure.Kind> = []
  private var losses: Set<String> = []
  /// Some are not taken while others are.
  private var isSettingAside = false
  /// What comes and goes is not said more often than this.
  private var nextSetAside = Instant.now
  private static let rest = Duration.seconds(60)

  init(_ warn: @escaping @Sendable (Warning) -> Void) { self.warn = warn }

  /// True while nothing arrives.
  var isTroubled: Bool { !troubles.isEmpty }

  /// Says that nothing arrives for now.
  func trouble(_ text: String, spool: String?) { begin(.later, text, spool) }

  /// Says that nothing arrives, and why.
  func fail(_ failure: RecordFailure, spool: String?) { begin(failure.kind, failure.description, spool) }

  private func begin(_ kind: RecordFailure.Kind, _ text: String, _ spool: String?) {
    guard troubles.insert(kind).inserted else { return }
    let place = spool.map { " What is published waits in \($0)." } ?? " What is published waits."
    warn(Warning(code: "publish_failed", text: "nothing is published: \(text)\(place)"))
  }

  /// Says that some records are not taken, and why.
  func setAside(_ text: String, at now: Instant) {
    guard !isSettingAside, now >= nextSetAside else { return }
    (isSettingAside, nextSetAside) = (true, now + Self.rest)
    warn(
      Warning(
        code: "publish_set_aside",
        text: "some records are set aside, and tried again while others go on: \(text)"))
  }

  /// Says that records arrive again; with `isWhole` none is set aside.
  func recover(isWhole: Bool) {
    if isWhole, isSettingAside {
      isSettingAside = false
      warn(Warning(code: "publish_set_aside", text: "no record is set aside any more.", isResolved: true))
    }
    if !troubles.isEmpty {
      warn(Warning(code: "publish_failed", text: "records are published again.", isResolved: true))
    }
    troubles = []
    // While some are set aside they may be what fills the place.
    if isWhole { losses.remove(Loss.full("").code) }
  }

  /// Has what is wrong be said again.
  func restart() { (troubles, losses, isSettingAside, nextSetAside) = ([], [], false, .now) }

  /// Says why records will never arrive.
  func say(_ loss: Loss) {
    if losses.insert(loss.code).inserted { warn(Warning(code: loss.code, text: loss.text)) }
  }

  /// Says what is lost at the end.
  func end(unsaved: Int) {
    guard unsaved > 0 else { return }
    warn(
      Warning(
        code: "publish_lost",
        text:
          "\(unsaved) records were not published before the end and are lost: give them a folder to wait in.")
    )
  }
}
