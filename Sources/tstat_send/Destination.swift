import AMQP
import ArgumentParser
import Curl
import HTTPRecords
import INI
import Model
import Program
import SystemRuntime

/// A way to send.
enum Transport: String, ExpressibleByArgument, CaseIterable, Sendable { case rabbit, http }

/// Why a configuration cannot be used. The description ends with what to do.
enum ConfigurationFailure: Error, CustomStringConvertible {
  case unreadable(KernelError)
  case wrong(INIError)

  var description: String {
    switch self {
    case .unreadable(let error): "\(error)"
    case .wrong(let error): "\(error)."
    }
  }
}

/// Where the messages go, as the configuration has it: a sink is made of it when there is something to send.
enum Destination {
  case rabbit(RabbitConfiguration)
  case http(HTTPRecordsConfiguration)
  /// Standard output.
  case printed

  /// Reads the section of the transport, which must be right also where nothing is sent.
  init(
    _ transport: Transport, file path: String, isPrinted: Bool, _ diagnostics: Diagnostics
  ) throws(ConfigurationFailure) {
    let bytes: [UInt8]
    do throws(KernelError) { bytes = try WholeFile.read(path, limit: TextLines.maximumSize) } catch {
      throw .unreadable(error)
    }
    do throws(INIError) {
      let file = try INIFile(name: path, bytes: bytes, dialect: .tstat)
      try Self.checkSections(file)
      let warnings = file.warnings + file.sections.flatMap { $0.warningsOfValues(Environment.value) }
      for warning in warnings { diagnostics.warning("\(warning).") }
      switch transport {
      case .rabbit:
        let configuration = try RabbitConfiguration(file: file, variable: Environment.value)
        for warning in configuration.warnings { diagnostics.warning("\(warning).") }
        self = .rabbit(configuration)
      case .http:
        guard let section = file.sections.first(where: { $0.name == "http" }) else {
          throw INIError(
            file: path, line: 1, what: "there is no [http]: add the section with the keys host and port")
        }
        let configuration = try HTTPRecordsConfiguration(
          section.expanding(Environment.value),
          ssl: file.sections.first { $0.name == "ssl_options" }?.expanding(Environment.value))
        for warning in configuration.warnings { diagnostics.warning("\(warning).") }
        self = .http(configuration)
      }
    } catch { throw .wrong(error) }
    if isPrinted { self = .printed }
  }

  /// A section with a wrong name would be one that does nothing.
  private static func checkSections(_ file: INIFile) throws(INIError) {
    let known = ["rabbit", "rabbit_queue_options", "ssl_options", "http"]
    for section in file.sections where !known.contains(section.name) {
      let near = Spelling.nearest(to: section.name, in: known).map { " (did you mean [\($0)]?)" } ?? ""
      throw section.error("unknown section [\(section.name)]\(near)")
    }
  }

  /// True where a connection is made before there is a message, and what is wrong with the other side is known then.
  var connectsFirst: Bool { if case .rabbit = self { true } else { false } }

  /// Makes the sink, which begins to connect. It fails where nothing is confirmed for `timeout`.
  func sink(
    timeout: Duration, report: @escaping @Sendable (RecordOutcome) -> Void
  ) throws(SendFailure) -> any RecordSink {
    switch self {
    case .printed: return PrintSink(report: report)
    case .rabbit(let configuration):
      var limits = RabbitPublisher.Limits()
      (limits.unconfirmed, limits.blocked) = (timeout, timeout)
      do throws(KernelError) {
        return try RabbitPublisher(
          configuration, appID: "tstat_send", version: bwmonRelease, limits: limits, report: report)
      } catch { throw SendFailure(.temporary, "\(error)") }
    case .http(let configuration):
      var options = HTTPRecordSink.Options()
      (options.patience, options.waitsForFirst) = (timeout, false)
      do throws(CurlError) {
        return try HTTPRecordSink(configuration, options: options, report: report)
      } catch {
        throw SendFailure(.temporary, "\(error)")
      }
    }
  }
}

/// Prints each message and a line feed, and takes it for delivered.
struct PrintSink: RecordSink {
  /// What is reported when nobody reads any more.
  static let nobodyReads = RecordFailure(.later, "nobody reads standard output any more")

  let report: @Sendable (RecordOutcome) -> Void

  func submit(_ record: Record, number: UInt64) {
    do throws(KernelError) {
      let isOpen = try StandardOutput.print(record.body)
      let isRead = isOpen ? try StandardOutput.print([UInt8(ascii: "\n")]) : false
      report(isRead ? .delivered(number) : .failed(Self.nobodyReads))
    } catch { report(.failed(RecordFailure(.later, "\(error)"))) }
  }

  func stop() {}
}
