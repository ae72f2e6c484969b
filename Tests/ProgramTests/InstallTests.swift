import Foundation
import Lab
import Testing

/// `make install` and `make uninstall`, of programs that are built already.
@Suite(.timeLimit(.minutes(5))) struct InstallTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
  private static let programs = [
    "connmonitor", "connvitals", "netconnmon", "runaggregator", "runmonitor", "runpipe",
    "tstat_cull", "tstat_send",
  ]

  /// A place to install to, and stand-ins for what an installation must not need: each writes its name to `called`.
  private struct Place {
    let folder: ScratchFolder
    var tree: String { "\(folder.path)/tree" }
    var documents: String { "\(tree)/usr/local/share/doc/bwmon" }

    init(built: [String]) async throws {
      folder = try ScratchFolder()
      try await run(["mkdir", "-p", "\(folder.path)/built/release", "\(folder.path)/unwanted"])
      for program in built { _ = try await folder.copy("/bin/true", as: "built/release/\(program)") }
      for name in ["swift", "apt-get", "dpkg-query", "sudo"] {
        _ = try await folder.write(
          program: "#!/bin/sh\necho \(name) >> '\(folder.path)/called'\nexit 1\n", to: "unwanted/\(name)")
      }
    }

    /// Starts make(1) with a target.
    func make(_ target: String, _ settings: [String] = []) throws -> ChildProcess {
      try ChildProcess(
        [
          "make", "-C", InstallTests.root, target, "DESTDIR=\(tree)", "PREFIX=/usr/local",
          "RELEASE=\(folder.path)/built",
        ] + settings, environment: ["PATH": "\(folder.path)/unwanted:/usr/sbin:/usr/bin:/sbin:/bin"])
    }

    /// The paths of all files in a folder, relative to it.
    func files(in folder: String) -> [String] {
      let all = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
      return all.filter {
        let attributes = try? FileManager.default.attributesOfItem(atPath: "\(folder)/\($0)")
        return attributes?[.type] as? FileAttributeType == .typeRegular
      }.sorted()
    }
  }

  @Test func `it needs neither Swift nor a package manager, and goes away again`() async throws {
    let place = try await Place(built: Self.programs)
    let install = try place.make("install")
    #expect(try await install.ended() == .exited(0), "\(install.errors.text)")
    #expect(place.files(in: "\(place.tree)/usr/local/bin") == Self.programs)
    for program in Self.programs {
      #expect(FileManager.default.isExecutableFile(atPath: "\(place.tree)/usr/local/bin/\(program)"))
    }
    #expect(place.files(in: "\(place.documents)/samples") == place.files(in: "\(Self.root)/samples"))
    #expect(place.files(in: "\(place.tree)/usr/local/share/man/man1") == Self.programs.map { "\($0).1" })
    try await run(["sh", "-c", "echo kept > '\(place.tree)/usr/local/bin/other'"])
    let uninstall = try place.make("uninstall")
    #expect(try await uninstall.ended() == .exited(0), "\(uninstall.errors.text)")
    #expect(place.files(in: place.tree) == ["usr/local/bin/other"])
    #expect(place.folder.read("called").isEmpty)
  }

  @Test func `what is not built is said, and nothing is installed`() async throws {
    let place = try await Place(built: ["runmonitor"])
    let install = try place.make("install")
    #expect(try await install.ended() == .exited(2))
    #expect(install.errors.text.contains("run make build first"), "\(install.errors.text)")
    #expect(place.files(in: place.tree).isEmpty)
    #expect(place.folder.read("called").isEmpty)
  }

  /// A compiler that talks as long as nobody asks it to be quiet, and may fail; the packages are all there.
  @Test(arguments: [true, false])
  func `make run says what it builds and nothing of how, unless it fails`(isWell: Bool) async throws {
    let place = try await Place(built: Self.programs)
    let folder = place.folder
    _ = try await folder.write(
      program: "#!/bin/sh\necho \"swift $*\" >> '\(folder.path)/called'\n"
        + "case \" $* \" in *' --quiet '*) ;; *) seq 60;; esac\n"
        + (isWell ? "" : "echo 'main.swift:1: error: no such module'; exit 1\n"), to: "unwanted/swift")
    _ = try await folder.write(program: "#!/bin/sh\necho 'install ok installed'\n", to: "unwanted/dpkg-query")
    _ = try await folder.write(
      program: "#!/bin/sh\necho \"a table $*\"\n", to: "built/release/runaggregator")
    let make = try place.make("run", ["SUDO="])
    #expect(try await make.ended() == .exited(isWell ? 0 : 2), "\(make.errors.text)")
    let said = make.output.lines.filter { !$0.hasPrefix("make: ") }
    let called = folder.read("called").split(separator: "\n")
    if isWell {
      #expect(Set(said.dropLast(2)) == Set(Self.programs.map { "Building \($0)" }))
      #expect(said.count == Self.programs.count + 2 && called.count == Self.programs.count)
      #expect(said.last?.hasPrefix("a table --auto-group") == true, "\(said)")
    } else {
      #expect(said.count == 2 && said.last == "main.swift:1: error: no such module", "\(said)")
      #expect(called.count == 1)
    }
  }

  @Test(arguments: [true, false])
  func `make deps says which packages it installs and nothing of how, unless it fails`(isWell: Bool)
    async throws
  {
    let place = try await Place(built: [])
    let folder = place.folder
    _ = try await folder.write(program: "#!/bin/sh\nexit 0\n", to: "unwanted/swift")
    _ = try await folder.write(program: "#!/bin/sh\nexec \"$@\"\n", to: "unwanted/sudo")
    _ = try await folder.write(
      program: "#!/bin/sh\nseq 60\ncase \" $* \" in *' install '*) exit \(isWell ? 0 : 1);; esac\n",
      to: "unwanted/apt-get")
    let make = try place.make("deps", ["POLICY_RC_D=\(folder.path)/policy-rc.d"])
    #expect(try await make.ended() == .exited(isWell ? 0 : 2), "\(make.errors.text)")
    let said = make.output.lines.filter { !$0.hasPrefix("make: ") }
    #expect(said.count == 1 && said[0].hasPrefix("Installing Debian packages: "), "\(said)")
    let failure = make.errors.lines.filter { Int($0) != nil }
    #expect(failure.count == (isWell ? 0 : 120), "\(make.errors.text)")
    #expect(!place.files(in: folder.path).contains("policy-rc.d"))
  }

  @Test func `the links of the installed documents lead somewhere`() async throws {
    let place = try await Place(built: Self.programs)
    let install = try place.make("install")
    #expect(try await install.ended() == .exited(0), "\(install.errors.text)")
    var links = 0
    for file in place.files(in: place.documents) where file.hasSuffix(".md") {
      let document = URL(filePath: "\(place.documents)/\(file)")
      let text = try String(contentsOf: document, encoding: .utf8)
      for match in text.matches(of: #/\]\(([^)\s]+)\)/#) where !match.1.contains("://") {
        links += 1
        let parts = match.1.split(separator: "#", omittingEmptySubsequences: false).map(String.init)
        let target =
          parts[0].isEmpty
          ? document : document.deletingLastPathComponent().appending(path: parts[0]).standardized
        #expect(FileManager.default.fileExists(atPath: target.path), "\(file): \(match.1)")
        guard parts.count > 1 else { continue }
        let headings = try headings(of: String(contentsOf: target, encoding: .utf8))
        #expect(headings.contains(parts[1]), "\(file): \(match.1)")
      }
    }
    // README alone has nine.
    #expect(links > 9)
  }

  /// The names that a browser of Markdown gives to the headings of a text.
  private func headings(of text: String) -> [String] {
    text.split(separator: "\n").filter { $0.hasPrefix("#") }.map { line in
      line.drop { $0 == "#" }.dropFirst().lowercased().filter {
        $0.isLetter || $0.isNumber || " -_".contains($0)
      }
      .replacing(" ", with: "-")
    }
  }
}
