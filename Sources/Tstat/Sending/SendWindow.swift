/// Which slices are under way, and how far each directory is recorded: what a run that is killed would send again.
///
/// A slice is under way from its submission until its directory's state file or mark tells of it. At most a window of them is.
public struct SendWindow: Sendable {
  /// Which directory of a run: counted from 0.
  public typealias DirectoryNumber = Int

  /// A state file that is to be written.
  public struct Record: Sendable, Hashable {
    /// Whose.
    public var directory: DirectoryNumber
    /// How many slices are settled, from the first on without a hole: acknowledged, or refused.
    public var acknowledged: Int
    /// Which of them are refused, in order: they are tried again by the next run.
    public var refused: [Int] = []
  }

  private struct Shipment {
    /// How many slices are settled, from the first on without a hole.
    var acknowledged: Int
    /// Settled slices beyond those.
    var ahead: Set<Int> = []
    var refused: Set<Int>
    var recorded: Int
    /// How many slices below `acknowledged` are submitted again and not settled.
    var again = 0
    /// True when one of these was settled, which no record tells of.
    var hasSettledAgain = false
    /// How many slices are submitted and not recorded.
    var underWay = 0
    /// How many slices there are; nil while the logs are still read.
    var total: Int?

    var isComplete: Bool { total == acknowledged && again == 0 }

    /// Returns whether the slice was submitted again.
    mutating func settle(_ slice: Int, isRefused: Bool) -> Bool {
      if isRefused { refused.insert(slice) } else { refused.remove(slice) }
      guard slice >= acknowledged else {
        again -= 1
        underWay -= 1
        hasSettledAgain = true
        return true
      }
      ahead.insert(slice)
      while ahead.remove(acknowledged) != nil { acknowledged += 1 }
      return false
    }

    func record(_ directory: DirectoryNumber) -> Record {
      Record(
        directory: directory, acknowledged: acknowledged,
        refused: refused.filter { $0 < acknowledged }.sorted())
    }
  }

  private let window: Int
  private var shipments: [DirectoryNumber: Shipment] = [:]
  private var underWay: [UInt64: (directory: DirectoryNumber, slice: Int)] = [:]
  private var nextNumber: UInt64 = 0
  private var unrecorded = 0

  /// At most `window` slices are under way.
  public init(_ window: Int) { self.window = max(1, window) }

  /// True when another slice may be submitted.
  public var hasRoom: Bool { unrecorded < window }

  /// True when nothing is under way, and no directory waits for its end.
  public var isEmpty: Bool { shipments.isEmpty }

  /// Begins a directory of which so many slices are settled already; those of them that were refused may be submitted again.
  public mutating func begin(_ directory: DirectoryNumber, acknowledged: Int, refused: Set<Int> = []) {
    shipments[directory] = Shipment(acknowledged: acknowledged, refused: refused, recorded: acknowledged)
  }

  /// Takes a slice of a directory; returns its number in the run.
  public mutating func submit(_ slice: Int, of directory: DirectoryNumber) -> UInt64 {
    nextNumber += 1
    underWay[nextNumber] = (directory, slice)
    shipments[directory]?.underWay += 1
    if let shipment = shipments[directory], slice < shipment.acknowledged { shipments[directory]?.again += 1 }
    unrecorded += 1
    return nextNumber
  }

  /// Takes the acknowledgement of a slice by its number; false for one that is not under way.
  public mutating func acknowledge(_ number: UInt64) -> Bool {
    settle(number, isRefused: false) != nil
  }

  /// A slice is not taken by the other side. Returns whose it is, and which of the directory; nil for one that is not under way.
  public mutating func refuse(_ number: UInt64) -> (directory: DirectoryNumber, slice: Int)? {
    settle(number, isRefused: true)
  }

  private mutating func settle(
    _ number: UInt64, isRefused: Bool
  ) -> (directory: DirectoryNumber, slice: Int)? {
    guard let (directory, slice) = underWay.removeValue(forKey: number) else { return nil }
    if shipments[directory]?.settle(slice, isRefused: isRefused) == true { unrecorded -= 1 }
    return (directory, slice)
  }

  /// Forgets a directory; returns what of it is to be recorded.
  public mutating func drop(_ directory: DirectoryNumber) -> Record? {
    guard let shipment = shipments.removeValue(forKey: directory) else { return nil }
    unrecorded -= shipment.underWay
    return shipment.record(directory)
  }

  /// How many slices of a directory are refused.
  public func refusedCount(of directory: DirectoryNumber) -> Int { shipments[directory]?.refused.count ?? 0 }

  /// True when something was acknowledged that is not recorded.
  public var hasUnrecorded: Bool {
    shipments.values.contains { $0.acknowledged > $0.recorded || $0.hasSettledAgain }
  }

  /// A directory is read to its end: it has `total` slices, or those that were acknowledged before where it could not be read
  /// so far.
  public mutating func finishReading(_ directory: DirectoryNumber, total: Int) {
    guard let shipment = shipments[directory] else { return }
    shipments[directory]?.total = max(total, shipment.acknowledged)
  }

  /// The directories of which every slice is settled, in order; they are forgotten.
  public mutating func takeComplete() -> [Record] {
    shipments.filter(\.value.isComplete).keys.sorted().compactMap { drop($0) }
  }

  /// What is worth a write to the disk: directories that half a window was acknowledged of since the last one; or all of
  /// which something was acknowledged, when that makes room or with `all`.
  public func worthRecording(all: Bool = false) -> [Record] {
    shipments.compactMap { directory, shipment in
      let count = shipment.acknowledged - shipment.recorded
      guard count > 0 || shipment.hasSettledAgain, all || !hasRoom || count * 2 >= window else { return nil }
      return shipment.record(directory)
    }.sorted { $0.directory < $1.directory }
  }

  /// A state file is written.
  public mutating func recorded(_ record: Record) {
    guard let shipment = shipments[record.directory] else { return }
    let count = record.acknowledged - shipment.recorded
    unrecorded -= count
    shipments[record.directory]?.underWay -= count
    shipments[record.directory]?.recorded = record.acknowledged
    shipments[record.directory]?.hasSettledAgain = false
  }
}
