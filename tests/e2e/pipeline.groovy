// Runs ci/Jenkinsfile under JenkinsPipelineUnit, and prints what it did as JSON.
//
// Arguments: the Jenkinsfile; a file with the scenario: `plan` (the text that ./inv answers), `params`,
// `codes` (regular expression of a command → its exit codes, in order), `lost` (the same → how often
// the machine is lost in the middle of it), `stopped` (the command at which somebody stops the build),
// `files` (what a branch leaves in dist/), `before` (what failed the last time).
import com.lesfurets.jenkins.unit.BasePipelineTest
import groovy.json.JsonOutput
import groovy.json.JsonSlurperClassic

class AgentLost extends Exception {
  AgentLost() { super('the agent went offline') }
}

class Stopped extends Exception {
  Stopped() { super('somebody stopped it') }
}

class Run extends BasePipelineTest {
  def scenario
  def log = []
  def branches = []
  String result = 'SUCCESS'

  def note(String step, what) { log << [step: step, what: what] }

  def expected(Map rules, String command) {
    def rule = rules.find { command =~ it.key }
    rule && rule.value ? rule : null
  }

  def shell(Map given) {
    def command = given.script.toString()
    note('sh', command)
    def lost = expected(scenario.lost, command)
    if (lost && lost.value > 0) {
      scenario.lost[lost.key] = lost.value - 1
      throw new AgentLost()
    }
    if (scenario.stopped && command =~ scenario.stopped) { throw new Stopped() }
    if (given.returnStdout) { return scenario.plan }
    def codes = expected(scenario.codes, command)
    def code = codes ? codes.value.remove(0) : 0
    if (given.returnStatus) { return code }
    if (code) { throw new RuntimeException("script returned exit code ${code}") }
  }

  void setUp() {
    super.setUp()
    helper.registerAllowedMethod('properties', [List]) { }
    helper.registerAllowedMethod('parameters', [List]) { }
    helper.registerAllowedMethod('pipelineTriggers', [List]) { }
    helper.registerAllowedMethod('choice', [Map]) { }
    helper.registerAllowedMethod('string', [Map]) { Map given -> note('parameter', given) }
    helper.registerAllowedMethod('logRotator', [Map]) { }
    helper.registerAllowedMethod('buildDiscarder', [Object]) { }
    helper.registerAllowedMethod('cron', [String]) { }
    helper.registerAllowedMethod('disableConcurrentBuilds', []) { }
    helper.registerAllowedMethod('agent', []) { 'agent' }
    helper.registerAllowedMethod('nonresumable', []) { 'nonresumable' }
    helper.registerAllowedMethod('retry', [Map, Closure]) { Map given, Closure body ->
      for (int left = given.count - 1; ; left--) {
        try { return body() } catch (AgentLost lost) { if (left <= 0) { throw lost } }
      }
    }
    helper.registerAllowedMethod('node', [String, Closure]) { String label, Closure body ->
      note('node', label); body()
    }
    helper.registerAllowedMethod('timeout', [Map, Closure]) { Map given, Closure body -> body() }
    helper.registerAllowedMethod('stage', [String, Closure]) { String name, Closure body ->
      note('stage', name); body()
    }
    helper.registerAllowedMethod('parallel', [Map]) { Map jobs ->
      note('parallel', jobs.keySet() as List)
      def errors = jobs.values().collect { job -> try { job(); null } catch (Exception e) { e } }
      def first = errors.find { it }
      if (first) { throw first }
    }
    helper.registerAllowedMethod('catchError', [Map, Closure]) { Map given, Closure body ->
      try { body() } catch (Exception error) {
        if (error instanceof Stopped && given.catchInterruptions == false) { throw error }
        result = given.buildResult
      }
    }
    helper.registerAllowedMethod('withEnv', [List, Closure]) { List values, Closure body ->
      note('withEnv', values.collect { it.toString() }); body()
    }
    helper.registerAllowedMethod('sh', [Map]) { Map given -> shell(given) }
    helper.registerAllowedMethod('sh', [String]) { String script -> shell(script: script) }
    helper.registerAllowedMethod('readJSON', [Map]) { Map given ->
      new JsonSlurperClassic().parseText(given.text)
    }
    helper.registerAllowedMethod('findFiles', [Map]) { Map given -> scenario.files }
    helper.registerAllowedMethod('pwd', []) { '/var/lib/jenkins/a job with spaces' }
    ['junit', 'archiveArtifacts', 'stash', 'publishHTML', 'mail', 'sleep'].each { step ->
      helper.registerAllowedMethod(step, [Map]) { Map given -> note(step, given.collectEntries { k, v -> [k, v.toString()] }) }
    }
    helper.registerAllowedMethod('unstash', [String]) { String name -> note('unstash', name) }
    helper.registerAllowedMethod('deleteDir', []) { }
    helper.registerAllowedMethod('dir', [String, Closure]) { String path, Closure body -> body() }
    helper.registerAllowedMethod('lock', [String, Closure]) { String name, Closure body ->
      note('lock', name); body(); note('unlock', name)
    }
    helper.registerAllowedMethod('echo', [String]) { String text -> note('echo', text) }
    helper.registerAllowedMethod('checkout', [Object]) { note('checkout', 'scm') }
    helper.registerAllowedMethod('error', [String]) { String text -> throw new RuntimeException(text) }
    binding.setVariable('scm', [:])
    binding.setVariable('env', [BUILD_URL: 'https://jenkins.example/job/1/', CROSSPI_INDEX: '/srv/of jenkins'])
    binding.setVariable('params', scenario.params)
    binding.setVariable('currentBuild', [previousBuild: scenario.before == null ? null :
      [buildVariables: [CROSSPI_FAILURES: scenario.before]]])
  }

  Map run(String jenkinsfile) {
    setUp()
    String error = ''
    try {
      loadScript(jenkinsfile).run()
    } catch (Exception caught) {
      error = caught.message
      result = 'FAILURE'
    }
    [log: log, error: error, result: result, failures: binding.getVariable('env').CROSSPI_FAILURES,
     description: binding.getVariable('currentBuild').description]
  }
}

def scenario = new JsonSlurperClassic().parse(new File(args[1]))
def run = new Run(scenario: scenario)
println('RESULT ' + JsonOutput.toJson(run.run(args[0])))
