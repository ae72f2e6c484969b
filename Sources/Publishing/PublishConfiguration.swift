public import INI
import Model

/// What is published and how, as the section `[publish]` says it; the keys of its transport are read by who makes that.
public struct PublishConfiguration: Sendable, Hashable {
  /// What brings the records.
  public enum Transport: String, Sendable, CaseIterable {
    /// An exchange of RabbitMQ.
    case rabbit
    /// A web server.
    case http
  }

  /// What brings the records.
  public let transport: Transport
  /// What is published.
  public let events: Set<PublishedEvent>
  /// The folder where records wait; nil for the program's own.
  public let spool: String?
  /// The most bytes of the disk that they may use there.
  public let spoolSize: Int
  /// The most records that are under way at once.
  public let window: Int

  /// The keys of the section beside the transport's.
  public static let keys = ["transport", "events", "spool", "spool_size", "window"]

  /// The most bytes on the disk, unless the file says otherwise.
  static let standardSpoolSize = 64 << 20
  /// The most records under way, unless the file says otherwise.
  static let standardWindow = 64

  /// Reads the section, without a look at keys that are not its own.
  public init(_ section: INISection) throws(INIError) {
    transport = try Self.transport(section)
    events = try Self.events(section)
    if let entry = section.entry("spool") {
      guard entry.value.hasPrefix("/") else {
        throw section.error(
          at: entry, "spool must be an absolute path, as /var/lib/bwmon/runaggregator/publish")
      }
      spool = entry.value
    } else {
      spool = nil
    }
    spoolSize = try Self.size(section) ?? Self.standardSpoolSize
    window = try section.integer("window", in: 1...65_535) ?? Self.standardWindow
  }

  private static func transport(_ section: INISection) throws(INIError) -> Transport {
    guard let entry = section.entry("transport") else { return .rabbit }
    guard let transport = Transport(rawValue: entry.value) else {
      throw section.error(at: entry, "unknown transport \(shown(entry)); known are rabbit and http")
    }
    return transport
  }

  private static func events(_ section: INISection) throws(INIError) -> Set<PublishedEvent> {
    guard let entry = section.entry("events") else { return [.usage, .alert] }
    var events: Set<PublishedEvent> = []
    for word in entry.value.split(whereSeparator: { $0 == "," || $0.isWhitespace }).map(String.init) {
      guard let event = PublishedEvent(rawValue: word) else {
        let known = PublishedEvent.allCases.map(\.rawValue)
        let near = Spelling.nearest(to: word, in: known).map { " (did you mean \($0)?)" }
        throw section.error(
          at: entry,
          "unknown event \(word.prefix(40)) in events"
            + (near ?? "; known are " + known.joined(separator: ", ")))
      }
      events.insert(event)
    }
    guard !events.isEmpty else {
      throw section.error(at: entry, "events is empty: name some, as events=usage, alert")
    }
    return events
  }

  private static func size(_ section: INISection) throws(INIError) -> Int? {
    guard let entry = section.entry("spool_size") else { return nil }
    guard let size = ByteSize(entry.value), (65_536...1 << 40).contains(size.bytes) else {
      throw section.error(
        at: entry, "spool_size=\(shown(entry)) must be from 64k to 1024G, for example 64M (67108864 bytes)")
    }
    return Int(size.bytes)
  }

  private static func shown(_ entry: INIEntry) -> String { INIError.quoted(entry.value) }
}
