import Curl
import HTTPRecords
import INI
import Model
import Publishing

/// The file of --publish-config: what is published, and who gets it.
struct PublishPlan {
  /// A way to the other side, and what should be said of it.
  typealias Way = (makeSink: Publisher.MakeSink, warnings: [INIWarning])

  /// What is published.
  let configuration: PublishConfiguration
  /// Makes the way to who gets it.
  let makeSink: Publisher.MakeSink
  /// What is understood and most likely not meant so.
  let warnings: [INIWarning]
  /// All that the file says.
  private let sections: [INISection]

  private static let section = "publish"
  private static let sslSection = "ssl_options"

  init(_ file: INIFile) throws(INIError) {
    guard let section = file.sections.first(where: { $0.name == Self.section }) else {
      throw INIError(
        file: file.name, line: 1, what: "no section [publish]: add one, with transport, host and port")
    }
    for other in file.sections where ![Self.section, Self.sslSection].contains(other.name) {
      throw other.error("unknown section [\(other.name)]; known are [publish] and [ssl_options]")
    }
    configuration = try PublishConfiguration(section)
    let way =
      switch configuration.transport {
      case .rabbit: try Self.wayToRabbit(section, file)
      case .http: try Self.wayToHTTP(section, file, connections: configuration.window)
      }
    (makeSink, warnings, sections) = (way.makeSink, way.warnings, file.sections)
  }

  /// Whether a file says the same as another.
  func isSame(as other: Self) -> Bool { sections == other.sections }

  /// A web server, by the keys of the section.
  private static func wayToHTTP(
    _ section: INISection, _ file: INIFile, connections: Int
  ) throws(INIError) -> Way {
    let configuration = try HTTPRecordsConfiguration(
      section, ssl: file.sections.first { $0.name == sslSection }, otherKeys: PublishConfiguration.keys)
    var options = HTTPRecordSink.Options()
    options.patience = nil
    options.connections = min(connections, options.connections)
    let makeSink: Publisher.MakeSink = { [options] report throws(RecordFailure) in
      do throws(CurlError) {
        return try HTTPRecordSink(configuration, options: options, report: report)
      } catch { throw RecordFailure(.later, "\(error)") }
    }
    return (makeSink, configuration.warnings)
  }

  /// An exchange of RabbitMQ, by the keys of the section.
  private static func wayToRabbit(_ section: INISection, _ file: INIFile) throws(INIError) -> Way {
    throw section.error("transport=rabbit is not part of this build: set transport=http")
  }
}
