/// Whether bytes go by splice(2) or are copied, by the size of what arrives.
///
/// Two small system calls on one buffer are cheaper than moving a few pages into a pipe and out again; a long
/// stream is cheapest where its pages stay in the kernel.
struct TransferChoice: Sendable, Equatable {
  /// A copy that fills this much is a sign of a long stream.
  static let large = 32 * 1024
  /// A splice that moves less is a sign of messages.
  static let small = 4 * 1024
  /// How many signs in a row make it change.
  static let patience = 4

  /// How the next bytes go.
  private(set) var splices: Bool

  private let setting: PipeConfiguration.Splice
  private var signs = 0

  /// Starts as the configuration says; when it leaves the choice, with copying.
  init(_ setting: PipeConfiguration.Splice) {
    splices = setting == .on
    self.setting = setting
  }

  /// Notes that `bytes` came at once, of `asked`: what a limit kept small says nothing.
  mutating func note(_ bytes: Int, of asked: Int) {
    switch setting {
    case .off: return
    case .on: retry()
    case .auto: learn(bytes, of: asked)
    }
  }

  /// Notes that there was no pipe to splice through: copies until the next sign or, when splicing is fixed, for a few
  /// times.
  mutating func foundNoPipe() { change(to: false) }

  private mutating func retry() {
    guard !splices else { return }
    signs += 1
    if signs >= Self.patience { change(to: true) }
  }

  private mutating func learn(_ bytes: Int, of asked: Int) {
    if splices {
      guard asked > Self.small else { return }
      signs = bytes < Self.small ? signs + 1 : 0
      if signs >= Self.patience { change(to: false) }
    } else if bytes >= Self.large {
      change(to: true)
    }
  }

  private mutating func change(to splices: Bool) {
    self.splices = splices
    signs = 0
  }
}
