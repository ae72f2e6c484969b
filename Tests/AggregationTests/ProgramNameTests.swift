import Aggregation
import Model
import Testing

@Suite struct ProgramNameTests {
  private let rules = ApplicationRules(autoGroup: true)

  @Test(arguments: [
    ("/usr/bin/curl -s http://h/", "curl"), ("curl", "curl"), ("./a.out", "a.out"), ("/opt/x/", "x"),
    // Python.
    ("python3 script.py", "script.py"), ("/usr/bin/python3.11 -u /opt/a/job.py --x", "job.py"),
    ("python3 -m http.server 80", "http.server"), ("python3 -mpip install", "pip"), ("python -um a.b", "a.b"),
    ("python3 -W ignore -X dev x.py", "x.py"), ("python3 -Wignore x.py", "x.py"),
    ("python3 -c print(1) x.py", "python3"),
    ("python3 -ic x y", "python3"), ("python3", "python3"), ("python3 -", "python3"),
    ("python2.7 -- x.py", "x.py"),
    ("python3 --check-hash-based-pycs always x.py", "x.py"), ("pypy3 x.py", "x.py"),
    ("python3-dbg x.py", "python3-dbg"),
    ("python3 .", "python3"), ("python3 /opt/app/", "app"),
    // Shells.
    ("bash x.sh", "x.sh"), ("/bin/sh -e /etc/init.d/net start", "net"), ("sh -c curl x", "sh"),
    ("bash -lc x", "bash"),
    ("bash -eo pipefail x.sh", "x.sh"), ("bash --rcfile r x.sh", "x.sh"), ("bash --norc x.sh", "x.sh"),
    ("bash -s x", "bash"), ("bash +O extglob -x x.sh", "x.sh"), ("-bash", "bash"), ("-sh -c x", "sh"),
    ("zsh", "zsh"),
    ("dash ./run", "run"),
    // Node.
    ("node x.js", "x.js"), ("nodejs --max-old-space-size=4096 /srv/app.js", "app.js"),
    ("node -r dotenv x.js", "x.js"),
    ("node --require a --import b x.mjs", "x.mjs"), ("node -e code x", "node"),
    ("node --inspect=9229 x.js", "x.js"),
    // Java.
    ("java -jar x.jar", "x.jar"), ("java -Xmx1g -Dx=y -jar /opt/x.jar a", "x.jar"), ("java Main", "Main"),
    ("java -cp a.jar:b.jar -Dy com.example.Main x", "com.example.Main"), ("java -m mod/com.Main", "com.Main"),
    ("java --add-opens a/b=c -p mods --module m", "m"), ("java -version", "java"),
    ("java @args Main", "@args"),
    // Perl, Ruby, PHP.
    ("perl x.pl", "x.pl"), ("perl -w -I lib x.pl", "x.pl"), ("perl -Ilib -MFoo x.pl", "x.pl"),
    ("perl -ne print f", "perl"),
    ("perl5.36.0 x.pl", "x.pl"), ("perl -i.bak x.pl", "x.pl"), ("ruby -r set -I lib x.rb", "x.rb"),
    ("ruby3.1 x.rb", "x.rb"),
    ("ruby -e p", "ruby"), ("ruby -W0 x.rb", "x.rb"), ("php -f x.php", "x.php"),
    ("php -d a=b x.php", "x.php"),
    ("php -r code", "php"), ("php8.2 -S 0:80 -t www", "php8.2"),
    // env, applets, titles.
    ("env python3 x.py", "x.py"), ("/usr/bin/env -i A=b -u C bash x.sh", "x.sh"), ("env", "env"),
    ("env A=b", "env"),
    ("busybox wget x", "wget"), ("busybox sh x.sh", "x.sh"), ("busybox", "busybox"),
    ("nginx: master process /usr/sbin/nginx -g x", "nginx"), ("sshd: user@pts/0", "sshd"),
    ("postgres: 15/main: walwriter", "postgres"), ("a:b", "a:b"),
    // Nothing to name it by.
    ("[kworker/0:1-events]", "[kworker/0:1-events]"), ("[curl]", "[curl]"), ("/", "/"), ("..", ".."),
  ])
  func `a command line is named by its program or script`(commandLine: String, name: String) {
    #expect(rules.claim(process(1, commandLine)).application == name)
  }

  @Test(arguments: [
    ("/usr/sbin/nginx", "nginx: worker process", "nginx"), ("/usr/bin/curl (deleted)", "curl x", "curl"),
    ("/usr/bin/python3.11", "/usr/bin/python3 /usr/bin/x", "x"),
    ("/usr/bin/python3.11 (deleted)", "python3 x.py", "x.py"),
    ("/usr/bin/bash", "-bash", "bash"), ("/bin/busybox", "sh x.sh", "x.sh"),
    ("/bin/busybox", "/bin/wget x", "wget"),
    ("/tmp/.mount_Kritaab12/usr/bin/krita", "krita", "krita"), ("/memfd:x (deleted)", "y", "memfd:x"),
    ("/opt/my app/run me", "z", "run me"), ("/usr/lib/jvm/java-17/bin/java", "java -jar a.jar", "a.jar"),
    ("/usr/bin/averyveryverylongname", "averyveryverylo", "averyveryverylongname"),
    ("/usr/bin/dash", "sh -c a", "dash"),
    ("/", "curl", "curl"), ("", "curl", "curl"),
  ])
  func `the executable is surer than the first argument`(
    executable: String, commandLine: String, name: String
  ) {
    #expect(rules.claim(process(1, commandLine, executable: executable)).application == name)
  }

  @Test(arguments: [
    ["python3", "a b/c d.py"], ["-"], [""], ["", ""], ["--"], ["python3", ""], ["python3", "--"],
    ["java", "-jar"],
    ["python3", "-m"], ["python3", "-W"], ["env", "env", "env"], ["busybox", "busybox"], ["\u{1b}[2J)\n"],
    ["perl", "-"],
    ["a: b"], [": x"], ["sh", "-"], ["sh", "+"], ["node", "-r"], ["-", "x"],
  ])
  func `hostile arguments give some name`(arguments: [String]) {
    let description = ProcessDescription(
      identity: ProcessIdentity(pid: 1, startTime: 1), uid: 0, executable: nil, arguments: arguments,
      commandLine: "the command line")
    #expect(!rules.claim(description).application.isEmpty)
  }
}
