//! The image that is made of the snapshot of a root volume.

use super::super::super::ports::StepOutcome;
use super::super::call::{CallError, ask};
use super::super::ec2_reads::filter;
use super::arguments::{Root, specification};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    ArchitectureValues, BlockDeviceMapping, BootModeValues, EbsBlockDevice, Image, ImageState, ResourceType,
    TpmSupportValues,
};
use std::collections::BTreeMap;

/// How long until an image is looked at again, milliseconds.
const LOOK_AGAIN_MS: i64 = 5_000;

/// Gives the image's id once it can be launched, or what is to be said meanwhile. Its name is its token: no two images have the same.
pub(super) async fn ready(ec2: &Client, root: &Root, tags: &BTreeMap<String, String>) -> Result<String, StepOutcome> {
    let call = ec2.describe_images().owners("self").filters(filter("name", [root.name.clone()]));
    let reply = ask("ec2:DescribeImages", call.send()).await.map_err(CallError::outcome)?;
    let found = reply.images.unwrap_or_default().into_iter().find(|i| i.name.as_ref() == Some(&root.name));
    let Some(found) = found else {
        return Err(match register(ec2, root, tags).await {
            Err(error) if error.code != "InvalidAMIName.Duplicate" => error.outcome(),
            _ => StepOutcome::Waiting(LOOK_AGAIN_MS),
        });
    };
    usable(found)
}

fn usable(found: Image) -> Result<String, StepOutcome> {
    let id = found.image_id.ok_or_else(|| StepOutcome::Failed("an image without an id".to_owned()))?;
    match found.state {
        Some(ImageState::Available) => Ok(id),
        Some(ImageState::Pending | ImageState::Transient) | None => Err(StepOutcome::Waiting(LOOK_AGAIN_MS)),
        Some(other) => Err(StepOutcome::Failed(format!("the image {id} of the root's snapshot is {}", other.as_str()))),
    }
}

async fn register(ec2: &Client, root: &Root, tags: &BTreeMap<String, String>) -> Result<(), CallError> {
    let ebs = EbsBlockDevice::builder().snapshot_id(&root.snapshot).delete_on_termination(true).build();
    let call = ec2
        .register_image()
        .name(&root.name)
        .description(format!("made by forewarn of {}, to launch one instance", root.snapshot))
        .architecture(ArchitectureValues::from(root.architecture.as_str()))
        .virtualization_type("hvm")
        .root_device_name(&root.device)
        .block_device_mappings(BlockDeviceMapping::builder().device_name(&root.device).ebs(ebs).build())
        .set_boot_mode(root.boot_mode.as_deref().map(BootModeValues::from))
        .set_ena_support(root.ena)
        .set_sriov_net_support(root.sriov.clone())
        .set_tpm_support(root.tpm.as_deref().map(TpmSupportValues::from))
        .tag_specifications(specification(ResourceType::Image, tags));
    ask("ec2:RegisterImage", call.send()).await.map(|_| ())
}
