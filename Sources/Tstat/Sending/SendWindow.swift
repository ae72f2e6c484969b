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
    /// How many slices are acknowledged, from the first on without a hole.
    public var acknowledged: Int
  }

  private struct Shipment {
    /// How many slices are acknowledged, from the first on without a hole.
    var acknowledged: Int
    /// Slices beyond those that are acknowledged.
    var ahead: Set<Int> = []
    var recorded: Int
    /// How many slices are submitted and not recorded.
    var underWay = 0
    /// How many slices there are; nil while the logs are still read.
    var total: Int?

    mutating func acknowledge(_ slice: Int) {
      ahead.insert(slice)
      while ahead.remove(acknowledged) != nil { acknowledged += 1 }
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

  /// Begins a directory of which so many slices are acknowledged already.
  public mutating func begin(_ directory: DirectoryNumber, acknowledged: Int) {
    shipments[directory] = Shipment(acknowledged: acknowledged, recorded: acknowledged)
  }

  /// Takes a slice of a directory; returns its number in the run.
  public mutating func submit(_ slice: Int, of directory: DirectoryNumber) -> UInt64 {
    nextNumber += 1
    underWay[nextNumber] = (directory, slice)
    shipments[directory]?.underWay += 1
    unrecorded += 1
    return nextNumber
  }

  /// Takes the acknowledgement of a slice by its number; false for one that is not under way.
  public mutating func acknowledge(_ number: UInt64) -> Bool {
    guard let (directory, slice) = underWay.removeValue(forKey: number) else { return false }
    shipments[directory]?.acknowledge(slice)
    return true
  }

  /// A slice is not taken by the other side: its directory is forgotten. Returns which, and what of it is to be recorded.
  public mutating func refuse(_ number: UInt64) -> Record? {
    guard let (directory, _) = underWay.removeValue(forKey: number),
      let shipment = shipments.removeValue(forKey: directory)
    else { return nil }
    unrecorded -= shipment.underWay
    return Record(directory: directory, acknowledged: shipment.acknowledged)
  }

  /// A directory is read to its end: it has `total` slices, or those that were acknowledged before where it could not be read
  /// so far.
  public mutating func finishReading(_ directory: DirectoryNumber, total: Int) {
    guard let shipment = shipments[directory] else { return }
    shipments[directory]?.total = max(total, shipment.acknowledged)
  }

  /// The directories of which every slice is acknowledged, in order; they are forgotten.
  public mutating func takeComplete() -> [DirectoryNumber] {
    let complete = shipments.filter { $0.value.total == $0.value.acknowledged }.keys.sorted()
    for directory in complete {
      guard let shipment = shipments.removeValue(forKey: directory) else { continue }
      unrecorded -= shipment.underWay
    }
    return complete
  }

  /// What is worth a write to the disk: directories that half a window was acknowledged of since the last one, or all with news
  /// when that makes room, or with `all`.
  public func worthRecording(all: Bool = false) -> [Record] {
    shipments.compactMap { directory, shipment in
      let news = shipment.acknowledged - shipment.recorded
      guard news > 0, all || !hasRoom || news * 2 >= window else { return nil }
      return Record(directory: directory, acknowledged: shipment.acknowledged)
    }.sorted { $0.directory < $1.directory }
  }

  /// A state file is written.
  public mutating func recorded(_ record: Record) {
    guard let shipment = shipments[record.directory] else { return }
    let news = record.acknowledged - shipment.recorded
    unrecorded -= news
    shipments[record.directory]?.underWay -= news
    shipments[record.directory]?.recorded = record.acknowledged
  }
}
