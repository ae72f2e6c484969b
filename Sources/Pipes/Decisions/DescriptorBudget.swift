/// What the limit of descriptors is divided into. Does no I/O.
struct DescriptorBudget: Sendable, Equatable {
  /// Standard streams, pollers, wakers, and what the rest of the program opens: procfs, netlink, commands.
  private static let others = 128
  /// A listener, and two to look its target up.
  private static let perService = 3
  /// The client's and the target's.
  private static let perConnection = 2

  /// How many splice pipes there may be, each with two descriptors.
  let splicePipes: Int

  private let descriptors: Int

  /// Divides `descriptors`.
  init(descriptors: Int) {
    self.descriptors = descriptors
    splicePipes = min(512, max(8, descriptors / 32))
  }

  /// How one raises the limit.
  static let remedy = "(`ulimit -Hn`, LimitNOFILE=)"

  /// How many connections all pipes may have together, of which there are `services`; at least one.
  func connections(services: Int) -> Int {
    max(1, (descriptors - Self.others - 2 * splicePipes - Self.perService * services) / Self.perConnection)
  }
}
