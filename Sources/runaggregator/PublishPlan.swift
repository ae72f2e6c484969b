import AMQP
import Curl
import HTTPRecords
import INI
import Model
import Program
import Publishing
import SystemRuntime

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
      case .rabbit: try Self.wayToRabbit(file)
      case .http: try Self.wayToHTTP(section, file, connections: configuration.window)
      }
    let values = file.sections.flatMap { $0.warningsOfValues(Environment.value) }
    (makeSink, warnings, sections) = (way.makeSink, way.warnings + values, file.sections)
  }

  /// Whether a file says the same as another.
  func isSame(as other: Self) -> Bool { sections == other.sections }

  /// A web server, by the keys of the section.
  private static func wayToHTTP(
    _ section: INISection, _ file: INIFile, connections: Int
  ) throws(INIError) -> Way {
    let configuration = try HTTPRecordsConfiguration(
      section.expanding(Environment.value),
      ssl: file.sections.first { $0.name == sslSection }?.expanding(Environment.value),
      otherKeys: PublishConfiguration.keys)
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
  private static func wayToRabbit(_ file: INIFile) throws(INIError) -> Way {
    let configuration = try RabbitConfiguration(
      file: file, section: section, needsQueue: false, otherKeys: PublishConfiguration.keys,
      variable: Environment.value)
    var limits = RabbitPublisher.Limits()
    // What waits is on the disk: there is no moment after which it is better to give up.
    (limits.unconfirmed, limits.blocked, limits.waitsForFirst) = (nil, nil, true)
    let makeSink: Publisher.MakeSink = { [limits] report throws(RecordFailure) in
      do throws(KernelError) {
        return try RabbitPublisher(
          configuration, appID: "runaggregator", version: bwmonRelease, limits: limits, report: report)
      } catch { throw RecordFailure(.later, "\(error)") }
    }
    return (makeSink, configuration.warnings)
  }
}
