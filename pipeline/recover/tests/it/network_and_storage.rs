//! The ports in AWS over the wire: snapshots, volumes, traffic, groups, isolation and commands, in a world where calls take time and fail.

mod commands;
mod group;
mod network;
mod repair;
mod snapshots;

use forewarn_domain::action::RecoveryAction;
use forewarn_domain::step::StepKind;
use forewarn_domain::time::UnixMs;
use forewarn_recover::aws::AwsRecovery;
use forewarn_recover::ports::{StepDriver, StepOutcome, StepRequest};
use forewarn_recovery::policy::Policy;
use forewarn_recovery::state::Note;
use forewarn_testkit::moto::REGION;
use forewarn_testkit::world::World;
use serde_json::Value;
use std::collections::BTreeMap;

/// Launches an instance, and attaches two data volumes, the first of them called `data`; prints all that as JSON.
const LAUNCH: &str = r#"
ec2 = aws("ec2")
def wait():
    from urllib.request import Request, urlopen
    urlopen(Request(os.environ["AWS_ENDPOINT_URL"] + "/_world/advance", data=b'{"ms": 300000}')).read()
one = ec2.run_instances(ImageId="ami-12c6146b", InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"][0]
zone, who = one["Placement"]["AvailabilityZone"], one["InstanceId"]
wait()
def data(device, name):
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": name}]}]
    made = ec2.create_volume(Size=8, AvailabilityZone=zone, VolumeType="gp3", Iops=3000, TagSpecifications=tags)["VolumeId"]
    wait()
    ec2.attach_volume(VolumeId=made, InstanceId=who, Device=device)
    wait()
    return made
volumes = [data("/dev/sdf", "data"), data("/dev/sdg", "more")]
root = next(m for m in one["BlockDeviceMappings"] if m["DeviceName"] == one["RootDeviceName"])["Ebs"]["VolumeId"]
print(json.dumps({"who": who, "data": volumes, "root": root}))
"#;

/// A step's way through a world.
struct Scene {
    world: World,
    aws: AwsRecovery,
    request: StepRequest,
    /// What the launch has printed.
    made: Value,
    steps: u32,
}

impl Scene {
    /// Begins with an instance and its volumes.
    fn start(services: &[&str], flags: &[&str], action: RecoveryAction) -> Option<Self> {
        let world = World::start(services, flags)?;
        let made: Value = serde_json::from_str(&world.python(LAUNCH)).unwrap();
        let request = StepRequest {
            kind: StepKind::Notify,
            action,
            recovery_id: "recovery-7".to_owned(),
            plan_id: "recovery-7-1".to_owned(),
            subject: made["who"].as_str().unwrap().to_owned(),
            successor: None,
            serves: made["who"].as_str().unwrap().to_owned(),
            token: String::new(),
            before: String::new(),
            notes: BTreeMap::new(),
            deadline_ms: None,
            policy: Policy::default(),
            now_ms: UnixMs(1_800_000_000_000),
        };
        Some(Self { aws: AwsRecovery::new(&world.aws(), REGION, None).unwrap(), world, request, made, steps: 0 })
    }

    /// Gives the subject's data volume.
    fn volume(&self, n: usize) -> String {
        self.made["data"][n].as_str().unwrap().to_owned()
    }

    /// Settles a step, as the executor does before its first call.
    fn begin(&mut self, kind: StepKind) -> Result<(), String> {
        self.steps += 1;
        self.request.kind = kind;
        self.request.token = format!("{:032x}", self.steps);
        self.request.before = self.aws.prepare(&self.request)?;
        let before = self.request.before.clone();
        self.request.notes.entry(kind).or_insert(Note { before, result: None });
        Ok(())
    }

    /// Looks once.
    fn perform(&self) -> StepOutcome {
        self.aws.perform(&self.request)
    }

    /// Looks until nothing is waited for any more, and lets the time pass meanwhile.
    fn settle(&mut self) -> StepOutcome {
        for _ in 0..100 {
            match self.perform() {
                StepOutcome::Waiting(ms) => self.pass(ms),
                ended @ (StepOutcome::Done(_) | StepOutcome::Failed(_) | StepOutcome::Unknown(_)) => return ended,
            }
        }
        panic!("{:?} never ends", self.request.kind);
    }

    /// Lets time pass.
    fn pass(&mut self, ms: i64) {
        assert!(ms > 0, "what is waited for takes time");
        self.request.now_ms = self.request.now_ms.saturating_add(ms);
        self.world.advance(ms);
    }

    /// Does a step to its end, and notes what came of it.
    fn done(&mut self, kind: StepKind) -> String {
        self.begin(kind).unwrap();
        let StepOutcome::Done(result) = self.settle() else { panic!("{kind:?}: {:?}", self.perform()) };
        self.request.notes.get_mut(&kind).unwrap().result = Some(result.clone());
        result
    }

    /// Does a step that fails for good, and gives the words.
    fn fails(&mut self, kind: StepKind) -> String {
        self.begin(kind).unwrap();
        let reply = self.settle();
        let StepOutcome::Failed(why) = reply else { panic!("{kind:?}: {reply:?}") };
        why
    }

    /// Asks what came of a step of which nobody knows.
    fn find(&self) -> Option<String> {
        self.aws.find(&self.request).unwrap()
    }

    /// Runs Python with `who`, `data`, `root` and `ec2`, and gives what it prints.
    fn python(&self, script: &str) -> String {
        let known = format!("known = json.loads('''{}''')\n", self.made);
        let names = "who, data, root, ec2 = known['who'], known['data'], known['root'], aws('ec2')\n";
        self.world.python(&format!("{known}{names}{script}"))
    }
}
